"""The HTML report: text stays text, nothing is loaded, and charts stand where the figures are."""

from html.parser import HTMLParser

import pytest
from report_examples import HOSTILE, make_record, make_report

from evaluation.reports import html as html_report
from evaluation.reports.charts import confusion, group_chart
from evaluation.reports.definitions import DEFINITIONS
from evaluation.reports.html import failing_cases, render_html
from evaluation.reports.model import Failure
from evaluation.results.records import Record, Score


class Page(HTMLParser):
    """The tags, attributes and text of a page."""

    _VOID = frozenset({"meta", "link", "br", "input", "line", "circle"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.unclosed: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self._VOID:
            self.unclosed.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


def hostile_record() -> Record:
    record = make_record(
        7,
        text=f"{HOSTILE}<img src=x onerror=alert(1)>",
        choice=(0.0, "A"),
        verdict="inconsistent",
        foreign=[[f"{HOSTILE} in English", 0, 40, "en"]],
    )
    record.generations[0].messages = [{"role": f"user{HOSTILE}", "content": f"{HOSTILE}\nप्रश्न"}]
    return record


def test_html_shows_hostile_text_as_text_everywhere() -> None:
    report = make_report(failures=[Failure(item=HOSTILE, row=1, sample=0, error=HOSTILE)])
    report.run.model = HOSTILE
    report.run.settings["note"] = f'"{HOSTILE}'
    report.groups["system"][f'"{HOSTILE}'] = report.groups["system"]["आयुर्वेद"]
    page = Page(render_html(report, [hostile_record()]))
    assert not [tag for tag, _ in page.tags if tag in ("script", "img")]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert f"{HOSTILE}<img src=x onerror=alert(1)>" in page.text
    assert page.unclosed == []


def test_html_is_one_page_that_loads_nothing() -> None:
    page = Page(render_html(make_report(), [hostile_record()]))
    links = [
        value for _, a in page.tags for name, value in a.items() if name in ("href", "src", "xlink:href") and value
    ]
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)
    assert "url(" not in page.text
    assert "@import" not in page.text
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    anchors = {a["id"] for _, a in page.tags if "id" in a}
    assert {link[1:] for link in links if link.startswith("#")} <= anchors


def test_html_marks_the_language_of_benchmark_text() -> None:
    page = Page(render_html(make_report(), [make_record(1, choice=(0.0, "A"), language="am")]))
    assert page.tags[0] == ("html", {"lang": "en"})
    assert {a.get("lang") for tag, a in page.tags if tag == "pre"} == {"am"}


def test_html_holds_figures_settings_versions_rejects_and_definitions() -> None:
    text = Page(render_html(make_report(), [])).text
    for expected in ("23.77 %", "21.86–25.80†", "best constant answer (D)", "13.40 %", "sampling.temperature", "2.3.5"):
        assert expected in text
    assert text.count("the gold answer is empty") == 12
    assert "94 items" in text
    for name in make_report().metrics:
        assert DEFINITIONS[name][1] in text


def test_html_puts_dots_and_whiskers_where_the_figures_are() -> None:
    page = Page(render_html(make_report(), []))
    dots = [a for tag, a in page.tags if tag == "circle"]
    assert {"40.0%", "3.0%", "23.767%"} <= {a["cx"] for a in dots}
    whiskers = [(a["x1"], a["x2"]) for tag, a in page.tags if tag == "line" and a.get("class") == "whisker"]
    assert ("37.0%", "43.0%") in whiskers
    assert ("21.86%", "25.801%") in whiskers


def test_html_renders_a_report_without_any_figures_or_records() -> None:
    page = Page(render_html(make_report(metrics={}, groups={}, baselines=None, failures=[]), []))
    assert page.unclosed == []
    assert "Completions to read" not in page.text


def test_group_chart_has_the_best_first_with_lines_for_what_no_knowledge_scores() -> None:
    chart = group_chart(make_report(), "system", "accuracy")
    assert chart is not None
    assert [(dot.label, dot.value, dot.low, dot.high) for dot in chart.dots] == [
        ("आयुर्वेद", 40.0, 37.0, 43.0),
        ("Unani|Siddha", 3.0, 2.0, 4.5),
    ]
    assert [guide.label for guide in chart.guides] == ["all items", "always D", "chance"]
    assert group_chart(make_report(), "system", "cut_off") is None  # one value is known: nothing to hold it against


def test_failing_cases_are_wrong_unparsed_or_in_another_language() -> None:
    records = [
        make_record(1),
        make_record(2, choice=(0.0, "A")),
        make_record(3, choice=(None, "unparsed"), verdict="mixed"),
        make_record(4, choice=None, verdict="inconsistent"),
        make_record(5, choice=None, verdict="undetermined"),
    ]
    cases, found = failing_cases(records)
    assert [(case.item.row, case.kinds) for case in cases] == [
        (2, ("wrong",)),
        (3, ("unparsed", "language")),
        (4, ("language",)),
    ]
    assert found == {"wrong": 1, "unparsed": 1, "language": 2}
    assert cases[0].expected == "B · दो"


def test_a_false_verdict_of_the_judge_is_a_failing_case_and_an_absent_one_is_not() -> None:
    wrong, unknown = make_record(1, choice=None), make_record(2, choice=None)
    wrong.generations[0].scores["judge_correct"] = Score("judge_correct", "1", 0.0, "false")
    unknown.generations[0].scores["judge_correct"] = Score("judge_correct", "1", None, "unparsed")
    assert [case.item.row for case in failing_cases([wrong, unknown])[0]] == [1]


def test_failing_cases_of_a_rare_kind_are_not_crowded_out() -> None:
    records = [make_record(number, choice=(0.0, "A")) for number in range(1, 201)]
    records.append(make_record(201, choice=(None, "unparsed")))
    cases, found = failing_cases(records)
    assert len(cases) == html_report.CASES + 1
    assert cases[-1].kinds == ("unparsed",)
    assert found["wrong"] == 200


def test_html_says_how_much_of_a_long_text_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_report, "MAX_CHARACTERS", 100)
    text = Page(render_html(make_report(), [make_record(1, text="x" * 1234, choice=(0.0, "A"))])).text
    assert "x" * 100 in text
    assert "x" * 101 not in text
    assert "1,134 more characters" in text


def test_confusion_counts_the_language_of_most_foreign_characters() -> None:
    spans = [["short", 0, 5, "fr"], ["a much longer clause", 5, 25, "en"]]
    table = confusion(
        [
            make_record(1),
            make_record(2),
            make_record(3, verdict="inconsistent", foreign=spans),
            make_record(4, verdict="inconsistent"),
            make_record(5, verdict="mixed", foreign=spans),
            make_record(6, verdict="undetermined"),
            make_record(7, verdict="no answer"),
            make_record(8, language="sw", verdict="inconsistent", foreign=[["नमस्ते", 0, 6, "hi"]]),
        ]
    )
    assert table is not None
    assert table.columns == ("Hindi", "Swahili", "English", "another", "mixed", "undetermined", "no answer")
    hindi, swahili = table.rows
    assert (hindi[0], hindi[1], [cell.count for cell in hindi[2]]) == ("Hindi", 7, [2, 0, 1, 1, 1, 1, 1])
    assert (swahili[0], swahili[1], [cell.count for cell in swahili[2]]) == ("Swahili", 1, [1, 0, 0, 0, 0, 0, 0])
    assert [cell.target for cell in swahili[2][:2]] == [False, True]
    assert hindi[2][0].share == pytest.approx(2 / 7)


def test_confusion_is_absent_without_language_scores() -> None:
    record = make_record(1)
    del record.generations[0].scores["language"]
    assert confusion([record]) is None
