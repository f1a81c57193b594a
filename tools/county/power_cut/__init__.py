"""What a node's files look like when the power goes, or a process is killed, at any moment of provision's work.

strace -> calls (system calls) -> disk (which states they allow) -> node (what a node makes of each)
"""
