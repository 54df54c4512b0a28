"""The doctor's checks of what is on disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from doctored import always, changed

from configs.settings import Settings
from configs.workspace import Workspace
from flows.doctor import data as doctor_data
from flows.doctor.finding import Finding
from machine import disk as room
from machine.locks import file_lock

pytestmark = pytest.mark.usefixtures("bare_environment")


def test_the_checkpoint_is_counted(settings: Settings, indexed: Path) -> None:
    finding = doctor_data.check_checkpoint(Workspace(settings))
    assert finding.status == "ok"
    assert finding.found.startswith(f"{indexed}/checkpoints: 3 files, 0.")
    file = next((indexed / "checkpoints").glob("*/*.parquet"))
    file.rename(file.with_suffix(".aside"))
    finding = doctor_data.check_checkpoint(Workspace(settings))
    assert (finding.status, finding.advice) == ("warning", "lsif-ingest checkpoint compact")
    assert finding.found.endswith("1 set aside as unreadable; their texts are embedded again")
    own = changed(settings, f"checkpoint.store={indexed}/checkpoints")
    assert (
        doctor_data.check_checkpoint(Workspace(own)).advice
        == f"remove {indexed}/checkpoints/*/*.aside"
    )


def test_a_damaged_file_of_the_checkpoint_is_reported(settings: Settings, indexed: Path) -> None:
    file = next((indexed / "checkpoints").glob("*/*.parquet"))
    file.write_bytes(file.read_bytes().replace(b"vector", b"v\xffctor"))
    finding = doctor_data.check_checkpoint(Workspace(settings))
    assert finding.status == "warning"
    assert (
        f"1 unreadable, such as {file.parent.name}/{file.name}; the next run sets them aside"
        in finding.found
    )


def test_a_checkpoint_that_can_not_be_written(settings: Settings, a_file: Path) -> None:
    finding = doctor_data.check_checkpoint(
        Workspace(changed(settings, f"checkpoint.store={a_file}/store"))
    )
    assert (finding.status, finding.found) == (
        "failed",
        f"{a_file}/store can't be written: {a_file} is not a folder",
    )


def test_a_bucket_is_written_to_and_left_as_it_was(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "someone",
            "AWS_SECRET_ACCESS_KEY": "something",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="vectors")
        client.put_object(Bucket="vectors", Key="team/abc/1.parquet", Body=b"x" * 1_000_000)
        found = doctor_data.check_checkpoint(
            Workspace(changed(settings, "checkpoint.store=s3://vectors/team"))
        )
        assert found == Finding("checkpoint", "ok", "s3://vectors/team: 1 file, 1.0 MB")
        # pyarrow marks the folder; the probe is gone
        assert [item["Key"] for item in client.list_objects_v2(Bucket="vectors")["Contents"]] == [
            "team/",
            "team/abc/1.parquet",
        ]
        missing = doctor_data.check_checkpoint(
            Workspace(changed(settings, "checkpoint.store=s3://nothing/team"))
        )
        assert missing.status == "failed"
        client.close()
    finally:
        server.stop()


def test_room_on_the_disk(
    settings: Settings, a_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = {"data": 50e9, "temporary": 50e9}
    monkeypatch.setattr(doctor_data.tempfile, "gettempdir", lambda: "/the/temporary")
    monkeypatch.setattr(
        doctor_data,
        "free_bytes",
        lambda folder: int(free["temporary" if folder.name == "temporary" else "data"]),
    )
    assert doctor_data.check_disk(Workspace(settings)) == Finding(
        "disk",
        "ok",
        "50.0 GB free for data, 50.0 GB for temporary files",
    )
    free["data"] = 1.9e9
    little = doctor_data.check_disk(Workspace(settings))
    assert (little.status, little.advice) == ("warning", "free some space, or --set paths.data=DIR")
    free.update(data=50e9, temporary=0.1e9)
    none = doctor_data.check_disk(Workspace(settings))
    assert (none.status, none.advice) == ("failed", "export TMPDIR=DIR")
    unwritable = doctor_data.check_disk(Workspace(changed(settings, f"paths.data={a_file}")))
    assert (unwritable.status, unwritable.found) == (
        "failed",
        f"{a_file} can't be written: {a_file} is not a folder",
    )


def test_a_run_needs_as_much_room_as_the_largest_project_takes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, megabytes in (
        ("qdrant/small", 1),
        ("qdrant/large/deep", 3),
        ("projects/large", 2),
        ("target/debug", 9),
    ):
        path = Path(settings.paths.data) / name / "file"
        path.parent.mkdir(parents=True)
        path.write_bytes(os.urandom(megabytes << 20))
    monkeypatch.setattr(doctor_data, "free_bytes", always(5_000_000))
    monkeypatch.setattr(doctor_data, "_LITTLE", 0)
    monkeypatch.setattr(doctor_data, "_TOO_LITTLE", 0)
    assert doctor_data.check_disk(Workspace(settings)).status == "warning"
    shutil.rmtree(Path(settings.paths.data) / "qdrant/large")
    assert doctor_data.check_disk(Workspace(settings)).status == "ok"


def test_room_and_writing_are_asked_of_the_nearest_folder_that_is_there(
    tmp_path: Path, a_file: Path
) -> None:
    assert room.why_not_writable(tmp_path / "not/yet/there") == ""
    assert room.why_not_writable(a_file / "below") == f"{a_file} is not a folder"
    assert room.free_bytes(tmp_path / "not/yet/there") > 0
    assert list(tmp_path.iterdir()) == [a_file]
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(1 << 30)
    assert room.taken_bytes(tmp_path) < 1 << 20


def test_a_run_in_progress_is_named_and_no_fault(settings: Settings) -> None:
    lock = Workspace(settings).project_folder("sample").lock
    with file_lock(lock):
        assert doctor_data.check_runs(Workspace(settings)) == Finding(
            "runs", "ok", "in progress: sample"
        )
    assert doctor_data.check_runs(Workspace(settings)) == Finding("runs", "ok", "none in progress")
    with file_lock(lock):  # looking at it left it free
        pass
