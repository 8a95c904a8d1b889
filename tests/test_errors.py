import os

import pytest

from pairvae.errors import InputError, number_of, printable


def test_error_is_one_line_of_expected_found_where_and_remedy() -> None:
    error = InputError(expected="a\nmapping", found="a list", where="params.yaml", remedy="mend  it")
    assert str(error) == "params.yaml: expected a mapping, found a list - mend it"


def test_where_and_remedy_may_be_absent() -> None:
    assert str(InputError(expected="1", found="2")) == "expected 1, found 2"


def test_parts_stay_readable_by_code() -> None:
    with pytest.raises(ValueError, match="expected 1, found 2") as caught:
        raise InputError(expected="1", found="2", where="x", remedy="y")
    assert isinstance(caught.value, InputError)
    assert (caught.value.where, caught.value.remedy) == ("x", "y")


def test_names_fit_on_one_line() -> None:
    assert printable("a\nb\r\x1b[31m é.png") == "a\\nb\\r\\x1b[31m é.png"
    assert printable(os.fsdecode(b"\xff.png")) == "\\udcff.png"


def test_one_of_a_thing_is_no_plural() -> None:
    assert [number_of(n, "error") for n in (0, 1, 2)] == ["0 errors", "1 error", "2 errors"]
    assert [number_of(n, "entry", "entries") for n in (1, 2)] == ["1 entry", "2 entries"]
