"""One track for one road user that a radar and a camera both see: range and speed from the one, class and place
across the road from the other. Pure.

Invariants: each sensor carries on alone when the other has nothing; a pair stays a pair while it fits; of two states
the one that warns more; who leaves by the radar's word is never paired, so that it hides nobody; a track keeps its
number when it is paired and when the other half ends. Two radars, or two cameras, are not merged with each other.
Nobody acts on what a camera alone sees beyond the reach that the site file declares for it: a box there is metres off,
and its speed is that of the limit until it has come nearer.
"""

from collections.abc import Collection, Mapping, Sequence

from device.tracks import ACTED_ON, STANDING, Track, TrackState

GATE_M = 3.0
GATE_PER_M = 0.1
"""A radar measures to the strongest echo along its line of sight, a camera to the foot of the box on the road."""

GATE_MPS = 3.0
ERROR_SIGMAS = 2.0

STICKS = 1.5
"""A pair may differ by so much more before it is taken apart: pairs that come and go change the cause's number."""


class Fuser:
    """The pairs of a pipeline. ``radars`` names the sensors whose range and speed are believed first; ``reaches_m`` is
    how far a camera alone is believed on an approach, all the way where it says nothing."""

    def __init__(self, radars: Collection[str], reaches_m: Mapping[tuple[str, str], float]) -> None:
        self._radars = frozenset(radars)
        self._reaches_m = reaches_m
        self._radar_of: dict[int, int] = {}  # camera track -> radar track
        self._number: dict[int, int] = {}  # track -> the number it goes by

    def merge(self, tracks: list[Track]) -> list[Track]:
        """The tracks with pairs made one, in the order of their radar's tracks; tentative is whom a camera alone sees
        beyond its reach."""
        merged = self._paired(tracks)
        return [self._within_reach(track) for track in merged] if self._reaches_m else merged

    def _within_reach(self, track: Track) -> Track:
        reach_m = self._reaches_m.get((track.sensor, track.approach))
        if reach_m is None or track.distance_m is None or track.distance_m <= reach_m:
            return track
        return track._replace(state=TrackState.TENTATIVE)

    def _paired(self, tracks: list[Track]) -> list[Track]:
        """The same list when there is no pair."""
        cameras = [track for track in tracks if self._of_camera(track)]
        if not cameras and not self._number:
            return tracks
        radars = {track.id: track for track in tracks if self._of_radar(track)}
        self._pair(radars, cameras)
        if not self._radar_of and not self._number:
            return tracks
        self._settle_numbers({track.id for track in tracks})
        halves: dict[int, list[Track]] = {}
        for camera in cameras:
            if camera.id in self._radar_of:
                halves.setdefault(self._radar_of[camera.id], []).append(camera)
        merged = []
        for track in tracks:
            if track.id in self._radar_of:
                continue
            seen = halves.get(track.id)
            whole = track if seen is None else _merged(track, seen)
            number = self._number.get(track.id, track.id)
            merged.append(whole if number == whole.id else whole._replace(id=number))
        return merged

    def _of_camera(self, track: Track) -> bool:
        return track.distance_m is not None and track.sensor not in self._radars and _pairs_at_all(track)

    def _of_radar(self, track: Track) -> bool:
        return track.distance_m is not None and track.sensor in self._radars and _pairs_at_all(track)

    def _pair(self, radars: dict[int, Track], cameras: Sequence[Track]) -> None:
        before, self._radar_of = self._radar_of, {}
        taken: set[tuple[str, int]] = set()  # a radar track is seen by each camera at most once
        for camera in cameras:
            radar_id = before.get(camera.id)
            radar = None if radar_id is None else radars.get(radar_id)
            if radar is not None and _misfit(radar, camera) <= STICKS:
                self._join(camera, radar, taken)
        free = {camera.id: camera for camera in cameras if camera.id not in self._radar_of}
        # By number where two fit alike: the order of tracks must not matter.
        wanted = sorted(
            (misfit, radar.id, camera.id)
            for camera in free.values()
            for radar in radars.values()
            if (misfit := _misfit(radar, camera)) <= 1.0
        )
        for _misfit_value, radar_id, camera_id in wanted:
            camera = free[camera_id]
            if camera_id not in self._radar_of and (camera.sensor, radar_id) not in taken:
                self._join(camera, radars[radar_id], taken)

    def _join(self, camera: Track, radar: Track, taken: set[tuple[str, int]]) -> None:
        self._radar_of[camera.id] = radar.id
        taken.add((camera.sensor, radar.id))

    def _settle_numbers(self, alive: set[int]) -> None:
        """A pair goes by the older number; a half whose partner has ended keeps it; when both live on, each goes by
        its own again."""
        numbers: dict[int, int] = {}
        for camera_id, radar_id in self._radar_of.items():
            number = min(
                numbers.get(radar_id, radar_id),
                self._number.get(radar_id, radar_id),
                self._number.get(camera_id, camera_id),
            )
            numbers[radar_id] = numbers[camera_id] = number
        for track_id, number in self._number.items():
            if track_id in alive and track_id not in numbers and number not in alive:
                taken = number in numbers.values()
                if not taken:
                    numbers[track_id] = number
        self._number = {track_id: number for track_id, number in numbers.items() if track_id != number}


def _pairs_at_all(track: Track) -> bool:
    return track.state in ACTED_ON and not track.receding


def _misfit(radar: Track, camera: Track) -> float:
    """How badly two tracks fit each other: 1 at the gate, infinite where they cannot be one."""
    if radar.approach != camera.approach or radar.distance_m is None or camera.distance_m is None:
        return float("inf")
    if radar.state is TrackState.COASTING and camera.state in STANDING:
        return float("inf")  # the radar has lost it and takes it to go on; the camera sees it stand
    off_m = abs(radar.distance_m - camera.distance_m) / (GATE_M + GATE_PER_M * camera.distance_m)
    if camera.state in STANDING or radar.state in STANDING:
        return off_m
    off_mps = abs((radar.speed_mps or 0.0) - (camera.speed_mps or 0.0))
    return max(off_m, off_mps / (GATE_MPS + ERROR_SIGMAS * camera.speed_error_mps))


def _merged(radar: Track, cameras: Sequence[Track]) -> Track:
    """One road user. With two cameras the nearer sight of it (the smaller error of speed) names the class."""
    camera = min(cameras, key=lambda track: (track.speed_error_mps, track.id))
    updated_ns = max(radar.updated_ns, camera.updated_ns)
    state, distance_m, speed_mps, error_mps = radar.state, radar.distance_m, radar.speed_mps, radar.speed_error_mps
    if radar.state is TrackState.COASTING and camera.state is TrackState.CONFIRMED:
        state = TrackState.CONFIRMED  # hidden from the radar alone
    elif radar.state is TrackState.WAITING:
        # What the radar only remembers the camera sees.
        state, distance_m, speed_mps, error_mps = (
            camera.state,
            camera.distance_m,
            camera.speed_mps,
            camera.speed_error_mps,
        )
    return Track(
        radar.id,
        radar.approach,
        radar.sensor,
        state,
        camera.user,
        distance_m,
        speed_mps,
        False,
        updated_ns,
        camera.lateral_m,
        any(track.in_wait_zone for track in cameras),
        error_mps,
    )
