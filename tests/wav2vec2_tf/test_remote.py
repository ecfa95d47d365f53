"""Sources of checkpoints: local paths win, the hub over real HTTP (tests/hub_server.py), its cache, its refusals."""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.hub_server import TOKEN
from wav2vec2_tf.remote import fetch, push

ROOT = Path(__file__).parents[2]
FILES = {"config.json": b"{}", "model.safetensors": os.urandom(3000), "notes/deep.json": b"{}", "README.md": b"hi"}
WANTED = {name: FILES[name] for name in ("model.safetensors", "config.json")}


def everything(names):
    return names


def weights_then_config(names):
    return [name for name in WANTED if name in names]


def never(names):
    raise AssertionError("nothing was to be chosen")


def contents(fetched):
    return {path.name: path.read_bytes() for path in fetched.paths}


@pytest.fixture
def hub(hub):
    """A hub with one model."""
    hub.add("org/name", FILES)
    return hub


# ---- local ----


def test_a_folder_gives_the_files_that_lie_in_it(tmp_path):
    (tmp_path / "deeper").mkdir()
    for name in ("b", "a", "deeper/c"):
        (tmp_path / name).write_text(name)
    os.symlink("nowhere", tmp_path / "dangling")
    os.symlink("a", tmp_path / "link")
    fetched = fetch(tmp_path, everything)
    assert fetched.files == ("a", "b", "link")
    assert (fetched.folder, fetched.name) == (tmp_path, str(tmp_path))


def test_a_file_is_its_own_choice(tmp_path):
    (tmp_path / "wav2vec_small.pt").write_text("")
    fetched = fetch(str(tmp_path / "wav2vec_small.pt"), never)
    assert fetched.paths == (tmp_path / "wav2vec_small.pt",)


def test_a_local_path_wins_over_the_hub(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org" / "name").mkdir(parents=True)
    (tmp_path / "org" / "name" / "mine").write_text("")
    assert fetch("org/name", everything).files == ("mine",)
    assert not hub.requests


@pytest.mark.parametrize("source", ["/no/where", "./nowhere", "../no", "a/b/c", "~/nowhere", "runs/", "a b", "a--b/c"])
def test_what_cannot_be_a_hub_id_is_a_missing_path(source):
    with pytest.raises(FileNotFoundError, match=r"There is no folder or file .*Give one that is there.*org/name"):
        fetch(source, never)


# ---- the hub ----


def test_a_model_of_the_hub_comes_byte_for_byte(hub):
    fetched = fetch("org/name", weights_then_config)
    assert fetched.files == ("model.safetensors", "config.json")
    assert contents(fetched) == WANTED
    assert fetched.name == "org/name"


def test_only_what_is_chosen_is_downloaded(hub):
    fetch("org/name", lambda names: ["config.json"])
    assert not [line for line in hub.requests if "README" in line or "model" in line.split("/resolve/")[-1][:6]]


def test_files_below_the_model_are_not_offered(hub):
    assert set(fetch("org/name", everything).files) == {"config.json", "model.safetensors", "README.md"}


def test_a_name_without_an_organisation_is_one(hub):
    hub.add("plain", {"config.json": b"plain"})
    assert contents(fetch("plain", everything)) == {"config.json": b"plain"}


@pytest.mark.parametrize("how", ["suffix", "argument", "both", "commit"])
def test_a_revision_is_taken(hub, how):
    main = hub.models["org/name"].resolve("main")
    old = hub.add("org/name", {"config.json": b"old"}, branch="v1/beta")
    hub.models["org/name"].branches["main"] = main
    source = {"argument": "org/name", "commit": f"org/name@{old}"}.get(how, "org/name@v1/beta")
    fetched = fetch(source, weights_then_config, revision={"suffix": None, "commit": None}.get(how, "v1/beta"))
    assert contents(fetched)["config.json"] == b"old"
    assert fetched.folder.name == old
    assert fetched.name == (f"org/name@{old}" if how == "commit" else "org/name@v1/beta")


def test_two_revisions_are_refused(hub):
    with pytest.raises(ValueError, match="names the revision 'v1', revision= names 'v2'"):
        fetch("org/name@v1", never, revision="v2")


def test_a_revision_that_does_not_exist_is_told(hub):
    with pytest.raises(FileNotFoundError, match="org/name has no revision 'v9'. Give a branch, tag or commit"):
        fetch("org/name@v9", never)


def test_a_path_that_looks_like_a_hub_id_names_both_possibilities(hub):
    with pytest.raises(FileNotFoundError, match=r"no folder or file runs/best here, and no model runs/best on the hub"):
        fetch("runs/best", never)


def test_a_token_opens_a_private_model_and_its_lack_is_told(hub):
    hub.add("org/secret", {"config.json": b"secret"}, private=True)
    with pytest.raises(FileNotFoundError, match=r"unless it is private.*hf auth login.*token="):
        fetch("org/secret", never)
    assert contents(fetch("org/secret", everything, token=TOKEN)) == {"config.json": b"secret"}


def test_a_stored_token_is_used(hub, tmp_path):
    hub.add("org/secret", {"config.json": b"secret"}, private=True)
    (tmp_path / "token").write_text(TOKEN)
    assert contents(fetch("org/secret", everything)) == {"config.json": b"secret"}


def test_a_large_file_of_a_private_model_comes_without_its_token_going_elsewhere(hub):
    hub.add("org/secret", FILES, private=True)
    assert contents(fetch("org/secret", weights_then_config, token=TOKEN)) == WANTED


def test_a_gated_model_says_where_to_ask(hub):
    hub.add("org/gated", FILES, gated=True)
    with pytest.raises(PermissionError, match=r"org/gated is gated. Ask for access at http://.*/org/gated"):
        fetch("org/gated", weights_then_config)
    assert contents(fetch("org/gated", weights_then_config, token=TOKEN))["config.json"] == b"{}"


def test_a_wrong_token_is_told(hub):
    with pytest.raises(PermissionError, match="org/name: the hub refuses the token .*hf auth login"):
        fetch("org/name", never, token="hf_bad")


def test_all_files_are_of_one_commit_though_the_branch_moves(hub):
    def choose(names):
        hub.add("org/name", {"config.json": b"newer"})
        return weights_then_config(names)

    assert contents(fetch("org/name", choose))["config.json"] == b"{}"


# ---- the cache ----


def test_the_cache_serves_without_network(hub, monkeypatch, caplog):
    fetched = fetch("org/name", weights_then_config)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with caplog.at_level(logging.WARNING):
        again = fetch("org/name", weights_then_config)
    assert (again, contents(again)) == (fetched, contents(fetched))
    assert "org/name: no answer from the hub" in caplog.text


@pytest.mark.parametrize("fault", ["down", "silent"])
def test_the_cache_serves_while_the_hub_fails(hub, fault, monkeypatch):
    monkeypatch.setattr("wav2vec2_tf.huggingface.ANSWER_SECONDS", 0.2)
    fetched = fetch("org/name", weights_then_config)
    hub.fault = fault
    assert fetch("org/name", weights_then_config) == fetched


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_offline_nobody_is_asked(hub, how, monkeypatch):
    fetched = fetch("org/name", weights_then_config)
    pinned = f"org/name@{fetched.folder.name}"
    hub.requests.clear()
    if how == "environment":
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for source in ("org/name", pinned):
        assert fetch(source, weights_then_config, local_files_only=how == "argument").folder == fetched.folder
    assert not hub.requests


def test_offline_a_revision_that_was_never_fetched_is_told(hub):
    fetch("org/name", weights_then_config)
    with pytest.raises(FileNotFoundError, match=r"org/name@v2 here, and no such model in the cache .*was not asked"):
        fetch("org/name@v2", never, local_files_only=True)


def test_a_cache_elsewhere_is_taken(hub, tmp_path):
    fetched = fetch("org/name", weights_then_config, cache_dir=tmp_path / "mine")
    assert fetched.folder.is_relative_to(tmp_path / "mine")
    assert fetch("org/name", weights_then_config, cache_dir=tmp_path / "mine", local_files_only=True) == fetched
    with pytest.raises(FileNotFoundError, match="no such model in the cache"):
        fetch("org/name", never, local_files_only=True)


def test_a_cache_written_by_huggingface_hub_is_read(hub):
    from huggingface_hub import snapshot_download

    folder = snapshot_download("org/name")
    fetched = fetch("org/name", weights_then_config, local_files_only=True)
    assert str(fetched.folder) == folder
    assert contents(fetched)["model.safetensors"] == FILES["model.safetensors"]


def test_a_link_that_leads_nowhere_is_no_file_and_is_fetched_again(hub):
    fetched = fetch("org/name", weights_then_config)
    fetched.paths[0].resolve().unlink()
    assert fetch("org/name", weights_then_config, local_files_only=True).files == ("config.json",)
    assert contents(fetch("org/name", weights_then_config)) == WANTED


def test_a_cache_that_can_only_be_read_serves(hub, monkeypatch):
    fetched = fetch("org/name", weights_then_config)

    def forbidden(path, text):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("wav2vec2_tf.huggingface.write_text", forbidden)
    assert fetch("org/name", weights_then_config) == fetched


def test_what_was_fetched_is_there_for_huggingface_hub(hub):
    from huggingface_hub import hf_hub_download

    fetched = fetch("org/name", weights_then_config)
    assert hf_hub_download("org/name", "config.json", local_files_only=True) == str(fetched.folder / "config.json")


def test_whole_files_are_not_fetched_twice(hub):
    fetch("org/name", weights_then_config)
    hub.requests.clear()
    fetch("org/name", weights_then_config)
    assert hub.requests == ["GET /api/models/org/name/revision/main"]


# ---- no network, an empty cache ----


def unresolvable(*_):
    time.sleep(30)  # a resolver that waits for a server of its own


@pytest.mark.parametrize("case", ["closed port", "silent", "slow", "down", "no such host", "no resolver"])
def test_no_network_and_an_empty_cache_fail_within_five_seconds(hub, case, monkeypatch):
    hub.fault = case if case in ("silent", "slow", "down") else None
    if case == "closed port":
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    if case.startswith("no "):
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://hub.invalid")
    if case == "no resolver":
        monkeypatch.setattr("socket.getaddrinfo", unresolvable)
    if case in ("slow", "no resolver"):
        monkeypatch.setattr("wav2vec2_tf.huggingface.ANSWER_SECONDS", 1)
    start = time.monotonic()
    with pytest.raises(ConnectionError, match=r"runs/best here.*cannot be reached.*Correct the path; or connect"):
        fetch("runs/best", never)
    assert time.monotonic() - start < 5


def test_who_has_a_slow_line_waits_as_long_as_he_says(hub, monkeypatch):
    hub.fault = "silent"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_ETAG_TIMEOUT", 0.2)
    with pytest.raises(ConnectionError, match=r"no answer within 0.2 seconds.*HF_HUB_ETAG_TIMEOUT"):
        fetch("org/name", never)


# ---- interrupted ----


def test_a_cut_download_leaves_nothing_that_loads_and_a_later_one_goes_on(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    config = fetch("org/name", lambda names: ["config.json"])
    hub.fault = "cut"
    with pytest.raises(ConnectionError, match=r"org/name: model.safetensors could not be fetched .*Run it again"):
        fetch("org/name", weights_then_config)
    assert [path.name for path in config.folder.iterdir()] == ["config.json"]
    hub.fault = None
    hub.requests.clear()
    assert contents(fetch("org/name", weights_then_config))["model.safetensors"] == FILES["model.safetensors"]
    assert not [line for line in hub.requests if "config.json" in line]


def test_a_newer_commit_that_is_cut_leaves_the_older_one_whole(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    older = fetch("org/name", weights_then_config)
    hub.add("org/name", {"model.safetensors": os.urandom(3000)})
    hub.fault = "cut"
    with pytest.raises(ConnectionError, match="model.safetensors could not be fetched"):
        fetch("org/name", weights_then_config)
    assert fetch("org/name", weights_then_config, local_files_only=True) == older


# ---- uploading ----


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model" / "below").mkdir(parents=True)
    for name, content in WANTED.items():
        (tmp_path / "model" / name).write_bytes(content)
    return tmp_path / "model"


def test_an_upload_arrives_byte_for_byte_in_one_commit(hub, folder):
    url = push(folder, "org/tuned", token=TOKEN, private=True)
    assert url == f"{hub.url}/org/tuned"
    model = hub.models["org/tuned"]
    assert model.private
    assert len(model.commits) == 2  # the hub's own first one, and this
    assert {name: hub.files("org/tuned")[name] for name in WANTED} == WANTED
    assert contents(fetch("org/tuned", weights_then_config, token=TOKEN)) == WANTED


def test_an_upload_goes_to_a_branch(hub, folder):
    for _ in range(2):  # the second time, all is there
        assert push(folder, "tuned", token=TOKEN, revision="v2").endswith("/me/tuned/tree/v2")
    assert "config.json" not in hub.files("me/tuned")
    assert hub.files("me/tuned", "v2")["model.safetensors"] == FILES["model.safetensors"]


def test_an_upload_without_a_token_is_refused(hub, folder):
    with pytest.raises(PermissionError, match="Writing to org/tuned needs a token: run `hf auth login`"):
        push(folder, "org/tuned")
    assert not hub.requests


def test_an_upload_to_another_name_is_refused(hub, folder):
    with pytest.raises(PermissionError, match=r"The token may not write to others/tuned .*rights to create"):
        push(folder, "others/tuned", token=TOKEN)


def test_an_upload_to_no_name_is_refused(hub, folder):
    with pytest.raises(ValueError, match="'org/tuned/v2' is no name of a model on the hub. Give org/name"):
        push(folder, "org/tuned/v2", token=TOKEN)


def test_a_wrong_token_does_not_upload(hub, folder):
    with pytest.raises(PermissionError, match="The token may not write to org/tuned"):
        push(folder, "org/tuned", token="hf_bad")


def test_a_card_goes_along(hub, folder):
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Mine\n")
    push(folder, "org/tuned", token=TOKEN)
    assert hub.files("org/tuned")["README.md"].endswith(b"# Mine\n")


def test_an_upload_without_network_is_told(hub, folder, monkeypatch):
    hub.fault = "silent"
    monkeypatch.setattr("wav2vec2_tf.huggingface._CONNECT_SECONDS", 0.2)
    with pytest.raises(ConnectionError, match=r"org/tuned: the upload to http://.* broke off \(no answer"):
        push(folder, "org/tuned", token=TOKEN)


# ---- the environment, read in a process of its own ----


def run(code: str, **environment) -> subprocess.CompletedProcess:
    known = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=known | environment, check=False
    )


def test_the_environment_of_huggingface_hub_is_heard(hub, tmp_path):
    code = "from wav2vec2_tf.remote import fetch\nprint(fetch('org/name', lambda names: ['config.json']).folder)"
    home = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    first = run(code, HF_ENDPOINT=hub.url, **home)
    assert Path(first.stdout.strip()).is_relative_to(tmp_path / "home"), first.stderr
    assert run(code, HF_HUB_OFFLINE="1", **home).stdout == first.stdout
    unreached = run(code, HF_ENDPOINT="http://127.0.0.1:9", HF_HOME=str(tmp_path / "else"))
    assert "ConnectionError: There is no" in unreached.stderr


def test_without_huggingface_hub_local_folders_work_and_the_hub_names_it():
    hide = "import sys; sys.modules['huggingface_hub'] = None\nfrom wav2vec2_tf.remote import fetch\n"
    assert run(hide + "print(bool(fetch('tests', sorted).files))").stdout == "True\n"
    assert "pip install huggingface_hub" in run(hide + "fetch('org/name', sorted)").stderr
