import base64
import io

import numpy as np
import soundfile

from data_tools.pages import document, player, table


def test_a_page_needs_nothing_but_itself():
    made = document("a < b", ["<p>text</p>"], "p { color: red }")
    assert made.startswith("<!DOCTYPE html>")
    assert "<title>a &lt; b</title>" in made
    assert "http" not in made


def test_columns_of_numbers_are_set_right_where_some_are_missing():
    made = table(("name", "count", "empty"), [("a", "12", ""), ("b", "", ""), ("c", "\N{MINUS SIGN}3", "")])
    assert "<th>name</th><th class=n>count</th><th>empty</th>" in made


def test_a_player_holds_the_sound():
    samples = (8000 * np.sin(np.arange(16_000) / 10)).astype(np.int16)
    made = player(samples, 16_000)
    data = base64.b64decode(made.split("base64,")[1].split("'")[0])
    heard, rate_hz = soundfile.read(io.BytesIO(data))
    assert rate_hz == 16_000
    assert abs(len(heard) - len(samples)) < 3000  # MP3 has frames
