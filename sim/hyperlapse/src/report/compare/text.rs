//! For a terminal of 80 columns.

use super::Told;
use super::words::{self, Mark};
use crate::compare::{CaseComparison, Comparison, History, Standing, is_informational};
use crate::report::style::{Style, wrap};
use crate::units::{count, plural};

const WIDTH: usize = 80;
/// Room for the word in front of a line, and for the cells behind a name.
const LABEL: usize = 8;
const CELL: usize = 11;

pub(super) fn comparison(of: &Comparison, told: Told) -> String {
    let mut page = Page { text: String::new(), style: Style { coloured: told.coloured } };
    page.text = format!(
        "base  {}: {}\nnew   {}: {}\n\n",
        of.base,
        plural(of.runs.0, "run"),
        of.new,
        plural(of.runs.1, "run")
    );
    let mut same = Vec::new();
    for case in &of.cases {
        match Mark::of(case) {
            Mark::Same if !told.all => same.push(case),
            _ => page.case(case, told),
        }
    }
    for case in &same {
        page.under("SAME", &words::title(case), &words::why_same(case));
    }
    if !same.is_empty() {
        page.text.push('\n');
    }
    page.one_sided(of);
    page.text.push_str(&words::sum(of));
    page.text.push('\n');
    if let Some(note) = words::unjudged(of) {
        page.text.push_str(&format!("note: {note}\n"));
    }
    page.text
}

struct Page {
    text: String,
    style: Style,
}

impl Page {
    fn word(&self, word: &str) -> String {
        let padded = format!("{word:<LABEL$}");
        match word {
            "FAIL" | "now fails" | "fails more" => self.style.bad(&padded),
            "better" | "now holds" | "fails less" | "SAME" => self.style.good(&padded),
            "worse" | "gone" => self.style.near(&padded),
            _ => padded,
        }
    }

    fn line(&mut self, word: &str, text: &str) {
        let line = format!("{}{text}", self.word(word));
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn prose(&mut self, word: &str, text: &str) {
        for (i, line) in wrap(text, WIDTH - LABEL).iter().enumerate() {
            self.line(if i == 0 { word } else { "" }, line);
        }
    }

    /// Title and what is said of it in one line, or in two.
    fn under(&mut self, word: &str, title: &str, text: &str) {
        let both = format!("{title}: {text}");
        if LABEL + both.chars().count() <= WIDTH {
            return self.line(word, &both);
        }
        self.prose(word, title);
        self.prose("", text);
    }

    fn one_sided(&mut self, of: &Comparison) {
        let lines = words::one_sided_cases(of);
        for (word, cases) in &lines {
            self.prose(word, cases);
        }
        if !lines.is_empty() {
            self.text.push('\n');
        }
    }

    fn case(&mut self, case: &CaseComparison, told: Told) {
        let title = words::title(case);
        for (i, line) in wrap(&title, WIDTH - LABEL).iter().enumerate() {
            let word = if i == 0 { Mark::of(case).text() } else { "" };
            let line = self.style.strong(line);
            self.line(word, &line);
        }
        if let Some(sides) = words::sides(case) {
            self.prose("", &sides);
        }
        if let Some(why) = words::measured_otherwise(case) {
            self.prose("", why);
        }
        for failure in &case.failures {
            let (word, text) = words::failure(failure, case);
            // Longer than the other words: it has a line that begins with it.
            let word = match word {
                "now fails" | "fails more" => self.style.bad(word),
                "now holds" | "fails less" => self.style.good(word),
                _ => word.to_owned(),
            };
            for (i, line) in wrap(&text, WIDTH - LABEL - 12).iter().enumerate() {
                let shown = match i {
                    0 => format!("{word}{:>1$}{line}", "", 12 - failure_word(&word)),
                    _ => format!("{:12}{line}", ""),
                };
                self.line("", &shown);
            }
        }
        let shown = |metric: &&crate::compare::MetricChange| {
            words::is_told(metric) || (told.all && !is_informational(&metric.name))
        };
        let metrics: Vec<_> = case.metrics.iter().filter(shown).collect();
        if !metrics.is_empty() {
            let heading = ["base", "new", "change", ""].map(str::to_owned);
            self.row("", "", &heading);
        }
        for metric in metrics {
            self.row(words::standing(metric.standing), &metric.name, &words::cells(metric));
            let tolerance = match (metric.standing, &metric.tolerance) {
                (Standing::Regression, Some(tolerance)) => Some(format!("tolerance {tolerance}")),
                _ => None,
            };
            let under: Vec<String> =
                [words::seeds(metric), tolerance].into_iter().flatten().collect();
            for line in wrap(&under.join("; "), WIDTH - LABEL - 2).iter().filter(|l| !l.is_empty())
            {
                self.line("", &format!("  {line}"));
            }
        }
        for (word, text) in words::one_sided(case) {
            self.prose(word, &text);
        }
        if let Some(untold) = words::untold(case).filter(|_| !told.all) {
            self.prose("", &untold);
        }
        for (group, cells) in words::beside(case, told.all) {
            self.cells(group, &cells);
        }
        self.text.push('\n');
    }

    /// Side by side, as many as fit, the rest below.
    fn cells(&mut self, word: &str, cells: &[String]) {
        let (mut word, mut line) = (word, String::new());
        for cell in cells {
            if !line.is_empty() && LABEL + line.chars().count() + 3 + cell.chars().count() > WIDTH {
                self.line(word, &line);
                (word, line) = ("", String::new());
            }
            if !line.is_empty() {
                line.push_str("   ");
            }
            line.push_str(cell);
        }
        self.line(word, &line);
    }

    fn row(&mut self, word: &str, name: &str, cells: &[String; 4]) {
        let cells: String = cells.iter().map(|cell| format!("{cell:>CELL$}")).collect();
        let room = WIDTH - LABEL - 4 * CELL;
        let line = match name.chars().count() {
            length if length <= room => format!("{name:<room$}{cells}"),
            _ => {
                self.line(word, name);
                return self.line("", &format!("{:<room$}{cells}", ""));
            }
        };
        self.line(word, &line);
    }
}

/// How long a word is without its colours.
fn failure_word(word: &str) -> usize {
    let mut inside = false;
    word.chars()
        .filter(|c| {
            let counts = !inside && *c != '\x1b';
            inside = (inside || *c == '\x1b') && *c != 'm';
            counts
        })
        .count()
}

pub(super) fn history(of: &History, told: Told) -> String {
    let mut page = Page { text: String::new(), style: Style { coloured: told.coloured } };
    let (first, last) = (&of.files[0], &of.files[of.files.len() - 1]);
    let files = plural(of.files.len() as u64, "result");
    page.text = format!("{files}, from {first} to {last}\n\n");
    for case in &of.cases {
        let shown = case
            .metrics
            .iter()
            .filter(|trend| told.all || (case.moved(trend) && !is_informational(&trend.name)));
        let shown: Vec<_> = shown.collect();
        let ran: Vec<(u64, u64)> = case.failed.iter().flatten().copied().collect();
        let title = words::case(&case.case);
        if shown.is_empty() && ran.iter().all(|of| *of == ran[0]) {
            let in_all = match ran.len() == of.files.len() {
                true => "the same in all".to_owned(),
                false => format!("the same in the {} that have it", count(ran.len() as u64)),
            };
            page.text.push_str(&format!(
                "{}\n\n",
                wrap(&format!("{title}: {in_all}"), WIDTH).join("\n")
            ));
            continue;
        }
        page.text.push_str(&format!("{}\n", page.style.strong(&title)));
        if ran.iter().any(|(failed, _)| *failed > 0) {
            let failed: Vec<String> = case
                .failed
                .iter()
                .map(|of| of.map_or("-".to_owned(), |(failed, runs)| format!("{failed}/{runs}")))
                .collect();
            page.prose("failed", &failed.join(" "));
        }
        let mut rows = vec![["", "first", "last", "least", "most", ""].map(str::to_owned)];
        rows.extend(shown.iter().map(|trend| {
            let [first, last, least, most] = words::trend(trend);
            [trend.name.clone(), first, last, least, most, words::sparkline(trend, 12)]
        }));
        page.trends(&rows, |page, row| {
            let Some(trend) = row.checked_sub(1).and_then(|row| shown.get(row)) else { return };
            for step in &trend.steps {
                let text = words::step(trend, step, of);
                page.prose("", &format!("step {text}"));
            }
        });
        page.text.push('\n');
    }
    page.text.push_str(&format!(
        "{} against {}, the one before it
{}

",
        of.latest.new,
        of.latest.base,
        words::sum(&of.latest)
    ));
    for case in of.latest.cases.iter().filter(|case| case.regressed()) {
        page.case(case, Told { all: false, ..told });
    }
    page.one_sided(&of.latest);
    if let Some(note) = words::unjudged(&of.latest) {
        page.text.push_str(&format!("note: {note}\n"));
    }
    page.text
}

impl Page {
    /// Rows of name, numbers and a picture, as wide as they must be; after each row what belongs under it.
    fn trends(&mut self, rows: &[[String; 6]], mut after: impl FnMut(&mut Self, usize)) {
        let width =
            |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let numbers: Vec<usize> = (1..5).map(width).collect();
        let rest: usize = numbers.iter().map(|w| w + 2).sum::<usize>() + 2 + width(5);
        let name = width(0).min(WIDTH.saturating_sub(2 + rest)).max(8);
        for (number, row) in rows.iter().enumerate() {
            let mut line = match row[0].chars().count() <= name {
                true => format!("  {:<name$}", row[0]),
                false => {
                    self.text.push_str(&format!("  {}\n", row[0]));
                    format!("  {:<name$}", "")
                }
            };
            for (cell, width) in row[1..5].iter().zip(&numbers) {
                line.push_str(&format!("  {cell:>width$}"));
            }
            line.push_str(&format!("  {}", row[5]));
            self.text.push_str(line.trim_end());
            self.text.push('\n');
            after(self, number);
        }
    }
}
