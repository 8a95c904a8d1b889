"""params.yaml: presets, merging, ``--set``, and one clear line for every mistake."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pairvae.errors import InputError
from pairvae.settings import (
    LARGEST_PARAMS_BYTES,
    PRESETS,
    CompactNetwork,
    LevelsNetwork,
    PaperNetwork,
    assignments,
    flatten,
    load_settings,
    merge,
    parse_yaml,
    preset_values,
    read_params,
    resolve,
    with_values,
)

ROOT = Path(__file__).resolve().parent.parent
COMPACT = {"architecture": "compact", "components": 8, "width": 32, "pool": 2}


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_complete_and_valid(preset: str) -> None:
    assert resolve({"preset": preset}).preset == preset


def test_params_file_of_the_repository_is_the_fast_preset() -> None:
    assert load_settings(ROOT / "params.yaml") == resolve({})


def test_paper_preset_holds_the_published_numbers() -> None:
    paper = resolve({"preset": "paper"})
    saxs, sem, pair = paper.saxs.training, paper.sem.training, paper.pair.training
    assert (paper.latent.channels, paper.latent.grid) == (32, 6)
    assert paper.saxs.prepare.size == paper.sem.prepare.crop == 192
    assert (paper.sem.prepare.rows, paper.sem.prepare.columns) == (830, 1280)
    assert (paper.sem.prepare.blur_px, paper.sem.prepare.blur_sigma) == (5, 1.0)
    assert (paper.sem.prepare.window_px, paper.sem.prepare.offset) == (15, 2.0)
    assert (saxs.epochs, sem.epochs, pair.random_epochs, pair.focused_epochs) == (500, 1000, 100, 1000)
    assert pair.epochs == 1100
    assert (saxs.likelihood, sem.likelihood) == ("mse", "bernoulli")
    for training in (saxs, sem, pair):
        assert (training.batch, training.log_every) == (8, 1)
        assert (training.learning_rate, training.schedule, training.warmup) == (1e-3, "constant", 0.0)
        assert (training.beta1, training.beta2, training.epsilon) == (0.9, 0.999, 1e-7)
        assert training.gradient_clip == training.input_noise == 0.0
    assert saxs.kl_weight == sem.kl_weight == 1e-6
    assert pair.kl_weight == 0.0
    assert pair.shared_position
    assert pair.from_solo
    assert (pair.similarity, pair.redundancy, pair.temperature) == ("barlow", 0.005, 0.1)
    weights = {"similarity": 5e-3, "saxs_saxs": 4e-2, "saxs_sem": 4e-1, "sem_sem": 4e-2, "sem_saxs": 1.0}
    assert pair.weights == weights


def test_paper_preset_holds_the_published_networks_and_pretraining() -> None:
    paper = resolve({"preset": "paper"})
    saxs, sem = paper.saxs.network, paper.sem.network
    assert isinstance(saxs, PaperNetwork)
    assert isinstance(sem, PaperNetwork)
    assert (saxs.filters, saxs.kernel, saxs.hidden) == (8, 5, 32)
    assert (sem.filters, sem.kernel, sem.hidden) == (32, 15, 32)
    one = paper.pretrain
    assert one.enabled
    assert one.projector == (128, 64, 1024)
    assert (one.redundancy, one.learning_rate, one.decay_steps, one.epochs) == (0.005, 0.2, 1000, 200)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"saxs": {"training": {"lerning_rate": 1.0}}},
            r"unknown key saxs\.training\.lerning_rate - did you mean learning_rate\?",
        ),
        ({"sem": {"network": {"foo": 1}}}, r"unknown key sem\.network\.foo - remove it"),
        ({"preset": "best"}, r"expected preset fast, paper or gpu, found 'best'"),
        ({"preset": ["fast"]}, r"expected preset fast, paper or gpu"),
        (
            {"sem": {"network": {"architecture": "cnn"}}},
            r"key sem\.network: expected architecture .*found 'cnn'",
        ),
        (
            {"saxs": {"training": {"epochs": "5"}}},
            r"key saxs\.training\.epochs: expected a valid integer, found '5'",
        ),
        (
            {"saxs": {"training": {"epochs": True}}},
            r"key saxs\.training\.epochs: expected a valid integer, found True",
        ),
        ({"saxs": {"training": {"epochs": 0}}}, r"epochs: expected greater than 0, found 0"),
        (
            {"pair": {"training": {"learning_rate": float("nan")}}},
            r"key pair\.training\.learning_rate: expected",
        ),
        ({"saxs": {"prepare": {"size": 100}}}, r"size: expected a multiple of 32, found 100"),
        ({"sem": {"prepare": {"blur_px": 4}}}, r"key sem\.prepare: expected an odd blur_px"),
        (
            {"sem": {"network": {"block_widths": [8]}}},
            r"block_widths: expected .*at least 2 items",
        ),
        (
            {"sem": {"network": {"block_widths": [8, 8, -1]}}},
            r"block_widths\.2: expected greater than 0, found -1",
        ),
        (
            {"pair": {"training": {"weights": {"sem_afm": 1.0}}}},
            r"expected weights of exactly saxs_saxs, saxs_sem",
        ),
        ({"pair": {"training": {"random_epochs": 0}}}, r"random_epochs \+ focused_epochs of at least 1"),
        ({"sem": {"network": COMPACT}}, r"network\.architecture texture for training\.likelihood texture"),
        ({"sem": {"network": {"architecture": "compact"}}}, r"expected a value for sem\.network\.components"),
        ({"sem": 3}, r"key sem: expected .* found 3"),
        ({"seed": 2**64}, r"key seed: expected less than 4294967296"),
        ({"tracking": {"experiment": ""}}, r"key tracking\.experiment"),
        ({1: 2}, r"key 1: expected"),
    ],
)
def test_mistake_is_one_line_that_names_the_key(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        resolve(values)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_null_is_the_presets_value_where_it_is_none_itself() -> None:
    """So that params.yaml can hold a key, which `dvc exp run --set-param` wants, without fixing its value."""
    nothing = {
        "latent": {"channels": None},
        "sem": {"network": {"width": None}, "training": {"epochs": None, "kl_weight": 0.5}},
        "pair": {"training": {"weights": {"similarity": None}}},
    }
    given = {"sem": {"training": {"kl_weight": 0.5}}}
    for preset in ("fast", "paper"):
        assert resolve(
            {"preset": preset, **nothing, "sem": {"training": nothing["sem"]["training"]}}
        ) == resolve({"preset": preset, **given})
    assert resolve(nothing) == resolve(given)
    area = {"sem": {"prepare": {"rows": None, "columns": None}}}
    assert resolve({"preset": "paper", **area}).sem.prepare.rows is None, "null is a value of this one"
    for wrong in ({"split": {"seed": None}}, {"data": {"source": None}}):
        with pytest.raises(InputError, match=r"key (split\.seed|data\.source)"):
            resolve(wrong)


@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_comments_of_params_file_tell_the_presets_values(preset: str) -> None:
    text = (ROOT / "params.yaml").read_text("utf-8")
    told = re.findall(rf"null +# .*{preset} ([\d.]+)", text)
    unset = [key for key, value in flatten(read_params(ROOT / "params.yaml")).items() if value is None]
    known = flatten(preset_values(preset))
    assert [float(number) for number in told] == [known[key] for key in unset]
    assert {"sem.training.epochs", "latent.channels", "pair.training.weights.similarity"} <= set(unset)


def test_merge_keeps_what_is_not_named() -> None:
    base = {"a": {"b": 1, "c": 2}, "d": 3}
    assert merge(base, {"a": {"c": 4}}) == {"a": {"b": 1, "c": 4}, "d": 3}
    assert base == {"a": {"b": 1, "c": 2}, "d": 3}
    assert merge(base, {"a": None}) == base, "an empty section of the file overrides nothing"
    assert merge(base, {"a": 5})["a"] == 5, "and a wrong one is kept, to be complained about"


def test_changed_architecture_replaces_its_whole_section() -> None:
    network = resolve({"saxs": {"network": {"architecture": "levels", "width": 64}}}).saxs.network
    assert isinstance(network, LevelsNetwork)
    assert (network.width, network.components) == (64, 16), "the same architecture: the rest stays"
    values = {"sem": {"network": COMPACT, "training": {"likelihood": "bernoulli"}}}
    assert resolve(values).sem.network == CompactNetwork.model_validate(COMPACT)


def test_preset_of_the_file_underlies_its_values() -> None:
    settings = resolve({"preset": "paper", "saxs": {"training": {"epochs": 7}}})
    assert settings.saxs.training.epochs == 7
    assert settings.saxs.training.kl_weight == 1e-6
    assert settings.sem.training.epochs == 1000


@pytest.mark.parametrize("text", [
    "!!python/object/apply:os.system ['true']",
    "x: !!python/object:os.system {}",
    "x: !!python/name:os.system",
    "- a list",
    "7",
    "a: [",
    "a: 1\na: 2",
    "a: \x00",
    "a: &a\n  b: *a",
    "? {a: 1}\n: 2",
])  # fmt: skip
def test_what_is_no_plain_mapping_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^somewhere.*: expected ") as caught:
        parse_yaml(text, "somewhere")
    assert "\n" not in str(caught.value)


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(InputError, match="at most 10000 values"):
        parse_yaml("\n".join(lines), "bomb")


def test_yaml_mistake_names_its_line() -> None:
    with pytest.raises(InputError, match=r"^params.yaml, line 3: expected YAML"):
        parse_yaml("a: 1\nb: 2\nc: 3: 4\nd: 5\n", "params.yaml")


def test_empty_file_sets_nothing() -> None:
    assert parse_yaml("", "x") == {}
    assert parse_yaml("# a comment", "x") == {}


def test_assignments_nest_and_parse_their_values() -> None:
    given = ["split.train=32", "sem.network.block_widths=[8, 8, 8]", "data.source=mdf", "device.kind=cpu"]
    assert assignments([*given, "split.seed=1", "pretrain.backbone=null", "saxs.training.learning_rate=1e-3"]) == {
        "split": {"train": 32, "seed": 1},
        "sem": {"network": {"block_widths": [8, 8, 8]}},
        "data": {"source": "mdf"},
        "device": {"kind": "cpu"},
        "pretrain": {"backbone": None},
        "saxs": {"training": {"learning_rate": 1e-3}},
    }  # fmt: skip


def test_later_assignment_wins() -> None:
    assert assignments(["a=1", "a=2"]) == {"a": 2}
    assert assignments(["a=1", "a.b=2"]) == {"a": {"b": 2}}
    assert assignments(["a=b=c"]) == {"a": "b=c"}


@pytest.mark.parametrize("text", ["split.train", "=1", "a..b=1", ".a=1", "a=[1", "a=!!python/name:os.system"])
def test_bad_assignment(text: str) -> None:
    with pytest.raises(InputError, match="--set"):
        assignments([text])


@pytest.mark.parametrize(("text", "found"), [
    ("seed=1\nsplit.train=2", "several lines"),
    ("seed=1\nseed: 2", "several lines"),
    ("data.source=mine\r\nother", "several lines"),
    ("data.source=mine\u2028split: 3", "several lines"),
    ("data.source=my #1", "'my #1'"),
    ("data.source=# mine", "'# mine'"),
])  # fmt: skip
def test_an_assignment_is_taken_whole_or_refused(text: str, found: str) -> None:
    with pytest.raises(InputError) as error:
        assignments([text])
    assert error.value.found == found


def test_quoted_and_joined_marks_are_no_comments() -> None:
    assert assignments(["a='my #1'", 'b="x # y"', "c=x#y", "d=1\n"]) == {
        "a": "my #1", "b": "x # y", "c": "x#y", "d": 1,
    }  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), [
    ("split.train=foo", "a valid integer or 'auto'"),
    ("split.train=0", "greater than 0 or 'auto'"),
    ("split.train=48.5", "a valid integer or 'auto'"),
])  # fmt: skip
def test_a_key_of_several_types_is_told_plainly(given: str, expected: str) -> None:
    with pytest.raises(InputError, match=r"^params.yaml, key split.train: ") as error:
        resolve(assignments([given]))
    assert error.value.expected == expected


def test_set_goes_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("preset: fast\nsplit: {train: 10}\n")
    assert load_settings(path).split.train == 10
    assert load_settings(path, ["split.train=12"]).split.train == 12
    with pytest.raises(
        InputError, match=r"params\.yaml: expected known keys, found unknown key split\.trian"
    ):
        load_settings(path, ["split.trian=12"])


def test_missing_large_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.yaml: expected a settings file, found none"):
        read_params(tmp_path / "absent.yaml")
    large = tmp_path / "large.yaml"
    large.write_text("#" * (LARGEST_PARAMS_BYTES + 1))
    with pytest.raises(InputError, match="under 1 MB"):
        read_params(large)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="UTF-8"):
        read_params(binary)


def test_dumped_settings_resolve_to_themselves() -> None:
    settings = resolve({"preset": "paper"})
    assert resolve(settings.model_dump(mode="json")) == settings


def test_presets_that_are_changes_name_known_keys_only() -> None:
    known = set(flatten(preset_values("fast")))
    for preset in PRESETS:
        unknown = {key for key in flatten(preset_values(preset)) if key not in known}
        assert all(".network." in key for key in unknown), unknown


def test_settings_under_old_names_keep_working_and_are_reported_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(
        "sem: {network: {critic: 4}, training: {texture: {adversarial: 0.5}, drop_remainder: false}}\n"
        "tune: {space: {sem.network.critic: {choices: [0, 4]}, sem.network.smooth: {choices: [0, 2], "
        "when: {sem.network.critic: 4}}}}"
    )
    settings = load_settings(path)
    load_settings(path)
    adversarial = settings.sem.training.adversarial
    assert (adversarial.width, adversarial.weight) == (4, 0.5)
    assert list(settings.tune.space) == ["sem.training.adversarial.width", "sem.network.smooth"]
    assert settings.tune.space["sem.network.smooth"].when == {"sem.training.adversarial.width": 4}
    assert capsys.readouterr().err.splitlines() == [
        f"{path}: sem.network.critic is now called sem.training.adversarial.width",
        f"{path}: sem.training.texture.adversarial is now called sem.training.adversarial.weight",
        f"{path}: sem.training.drop_remainder no longer exists: "
        "an epoch leaves out the samples that do not fill a batch",
    ]
    changed = with_values(settings, {"sem.network.critic": 0}, "variant")
    assert changed.sem.training.adversarial.width == 0
    chosen = load_settings(path, ["sem.training.adversarial.width=8"])
    assert chosen.sem.training.adversarial.width == 8, "today's name wins"
