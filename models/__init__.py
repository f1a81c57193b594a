"""Detecting road users in pictures: the ``Detector`` protocol, an ONNX detector, its checked manifest and weights."""
