//! An explanation, for a terminal of 80 columns: what was promised, a column for each actor, each decision in a
//! sentence, and what would have happened without the last of them.

use super::style::{Style, wrap};
use crate::explain::{Explanation, Step, Told};
use crate::units::plural;

const WIDTH: usize = 80;
/// Virtual time, and the number of a decision, in front of the columns.
const MARGIN: usize = 17;
/// A column narrower than this breaks every word.
const NARROWEST: usize = 14;
/// So many steps are shown: the first few, and those that lead to the failure.
const MOST_STEPS: usize = 48;
const FIRST_STEPS: usize = 8;

/// The text of an explanation.
pub fn explanation(of: &Explanation, coloured: bool) -> String {
    let style = Style { coloured };
    let mut text = String::new();
    let failure = &of.failure;
    let title = format!("{} {}: {}", failure.kind.text(), failure.name, failure.message);
    for (i, line) in wrap(&title, WIDTH - 2).iter().enumerate() {
        text.push_str(&if i == 0 { style.strong(line) } else { format!("  {line}") });
        text.push('\n');
    }
    if let Some(promise) = &of.promise {
        prose(&mut text, "", &format!("Promised: {promise}."));
    }
    text.push('\n');
    table(&mut text, of, style);
    text.push('\n');
    for task in &of.tasks {
        prose(&mut text, "", &format!("{task}."));
    }
    for (number, told) in of.decisions.iter().enumerate() {
        let label = format!("[{}] ", number + 1);
        prose(&mut text, &label, &told.text);
        if let Some(state) = state(told) {
            prose(&mut text, "    ", &state);
        }
    }
    if of.decisions.is_empty() {
        prose(&mut text, "", "It takes no decision: this is tokio's own order.");
    }
    if let Some(without) = without_last(of) {
        prose(&mut text, "", &without);
    }
    for line in &of.waiting {
        prose(&mut text, "", &format!("In the end {line}."));
    }
    if of.disturbed {
        prose(&mut text, "", DISTURBED);
    }
    text
}

fn prose(text: &mut String, label: &str, words: &str) {
    let indent = " ".repeat(label.chars().count());
    for (i, line) in wrap(words, WIDTH - 2 - indent.len()).iter().enumerate() {
        text.push_str(&format!("  {}{line}\n", if i == 0 { label } else { &indent }));
    }
}

/// What is said of an explanation whose run looking has changed.
pub(super) const DISTURBED: &str =
    "note: looking at the places changed the run; they may be those of another one.";

/// How the system stood at a decision, where the scenario shows it.
pub(super) fn state(told: &Told) -> Option<String> {
    let (Some(before), Some(after)) = &told.located.state else { return None };
    Some(match before == after {
        true => format!("The system then: {before}."),
        false => format!("The system before: {before}; after: {after}."),
    })
}

/// What happens without the last decision.
pub(super) fn without_last(of: &Explanation) -> Option<String> {
    let without = of.without_last.as_ref()?;
    let last = of.decisions.len();
    let comes = match without.failures.first() {
        None => "everything holds".to_owned(),
        Some(failure) => format!("{} {} fails", failure.kind.text(), failure.name),
    };
    let quoted = |event: &Option<String>| event.as_ref().map(|event| format!("\"{event}\""));
    let instead = match &without.instead {
        None => String::new(),
        Some((here, there)) => format!(
            ": where now comes {}, there comes {}",
            quoted(here).unwrap_or_else(|| "the end".to_owned()),
            quoted(there).unwrap_or_else(|| "the end".to_owned())
        ),
    };
    Some(format!("Without [{last}] {comes}{instead}."))
}

/// A step that is shown, or how many are not.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shown<'a> {
    Step(&'a Step),
    LeftOut(u64),
}

/// The steps that a reader needs: the first few, those that lead to the failure, and every decision.
pub(super) fn shown(of: &Explanation) -> Vec<Shown<'_>> {
    let left_out = of.steps.len().saturating_sub(MOST_STEPS);
    let hidden = FIRST_STEPS..FIRST_STEPS + left_out;
    let mut shown = Vec::new();
    for (n, step) in of.steps.iter().enumerate() {
        if n == hidden.start && left_out > 0 {
            shown.push(Shown::LeftOut(left_out as u64));
        }
        // A decision is told below, and must be found above.
        if !hidden.contains(&n) || step.decision.is_some() {
            shown.push(Shown::Step(step));
        }
    }
    shown
}

fn table(text: &mut String, of: &Explanation, style: Style) {
    let columns = of.actors.len().max(1);
    let width = (WIDTH - MARGIN) / columns;
    if width < NARROWEST {
        return list(text, of, style);
    }
    let mut line = format!("{:>11}      ", "virtual s");
    for actor in &of.actors {
        line.push_str(&cell(actor, width));
    }
    text.push_str(&style.strong(line.trim_end()));
    text.push('\n');
    each_step(text, of, |text, step| {
        let words = wrap(&step.text, width - 2);
        for (i, words) in words.iter().enumerate() {
            let margin = if i == 0 { margin(step) } else { " ".repeat(MARGIN) };
            let line = format!("{margin}{}{words}", " ".repeat(width * step.actor));
            let line = line.trim_end();
            text.push_str(&if step.text == "VIOLATED" { style.bad(line) } else { line.to_owned() });
            text.push('\n');
        }
    });
}

/// Where there are too many actors for columns: one after the other.
fn list(text: &mut String, of: &Explanation, style: Style) {
    each_step(text, of, |text, step| {
        let line = format!("{}{}: {}", margin(step), of.actors[step.actor], step.text);
        text.push_str(&if step.text == "VIOLATED" { style.bad(&line) } else { line });
        text.push('\n');
    });
}

fn each_step(text: &mut String, of: &Explanation, mut show: impl FnMut(&mut String, &Step)) {
    for shown in shown(of) {
        match shown {
            Shown::Step(step) => show(text, step),
            Shown::LeftOut(events) => {
                let events = plural(events, "event");
                text.push_str(&format!("{}... {events} ...\n", " ".repeat(MARGIN)));
            }
        }
    }
}

fn margin(step: &Step) -> String {
    let number = step.decision.map_or(String::new(), |n| format!("[{}]", n + 1));
    let ms = step.at_ns / 1_000_000;
    format!("{:>7}.{:03} {number:<5}", ms / 1_000, ms % 1_000)
}

fn cell(words: &str, width: usize) -> String {
    let words: String = words.chars().take(width - 2).collect();
    format!("{words:<width$}")
}
