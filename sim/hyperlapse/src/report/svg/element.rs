//! SVG as text: one element a line, indented, numbers with one decimal at most.
//!
//! Lengths are tenths of a unit in `i64`, so that no byte depends on how a float is printed. Every word that goes
//! in is escaped here and nowhere else.

/// A length in tenths of a unit as SVG writes it: `12`, `12.3`, `-0.5`.
pub(super) fn length(tenths: i64) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    match (tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10) {
        (whole, 0) => format!("{sign}{whole}"),
        (whole, tenth) => format!("{sign}{whole}.{tenth}"),
    }
}

fn escape(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    for c in words.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push_str("&#10;"),
            // XML has no way to write other control characters.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// The start of an element.
pub(super) struct Tag {
    name: &'static str,
    text: String,
}

impl Tag {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, text: format!("<{name}") }
    }

    pub(super) fn of(name: &'static str, class: &str) -> Self {
        Self::new(name).attr("class", class)
    }

    pub(super) fn attr(mut self, key: &str, value: &str) -> Self {
        self.text.push_str(&format!(" {key}=\"{}\"", escape(value)));
        self
    }

    /// A length in tenths.
    pub(super) fn at(self, key: &str, tenths: i64) -> Self {
        let value = length(tenths);
        self.attr(key, &value)
    }
}

/// A rectangle, in tenths.
pub(super) fn rect(class: &str, x: i64, y: i64, width: i64, height: i64) -> Tag {
    Tag::of("rect", class).at("x", x).at("y", y).at("width", width).at("height", height)
}

/// A straight line, in tenths.
pub(super) fn line(class: &str, from: (i64, i64), to: (i64, i64)) -> Tag {
    Tag::of("line", class).at("x1", from.0).at("y1", from.1).at("x2", to.0).at("y2", to.1)
}

/// Words at a place; `anchor` is `start`, `middle` or `end`.
pub(super) fn words(class: &str, x: i64, y: i64, anchor: &str) -> Tag {
    let tag = if class.is_empty() { Tag::new("text") } else { Tag::of("text", class) };
    let tag = tag.at("x", x).at("y", y);
    if anchor == "start" { tag } else { tag.attr("text-anchor", anchor) }
}

/// An SVG that is being written.
pub(super) struct Svg {
    text: String,
    open: Vec<&'static str>,
}

impl Svg {
    /// `label` is what a screen reader says of the whole.
    pub(super) fn new(class: &str, width: i64, height: i64, label: &str) -> Self {
        let mut svg = Self { text: String::new(), open: Vec::new() };
        let view = format!("0 0 {} {}", length(width), length(height));
        svg.open(
            Tag::of("svg", class)
                .attr("xmlns", "http://www.w3.org/2000/svg")
                .attr("viewBox", &view)
                .attr("role", "img")
                .attr("aria-label", label),
        );
        svg
    }

    fn indent(&mut self) {
        self.text.extend(std::iter::repeat_n("  ", self.open.len()));
    }

    pub(super) fn open(&mut self, tag: Tag) {
        self.indent();
        self.text.push_str(&tag.text);
        self.text.push_str(">\n");
        self.open.push(tag.name);
    }

    pub(super) fn close(&mut self) {
        let name = self.open.pop().expect("an element that is closed was opened");
        self.indent();
        self.text.push_str(&format!("</{name}>\n"));
    }

    pub(super) fn leaf(&mut self, tag: Tag) {
        self.indent();
        self.text.push_str(&tag.text);
        self.text.push_str("/>\n");
    }

    /// A shape that says what it is when it is pointed at.
    pub(super) fn told(&mut self, tag: Tag, title: &str) {
        self.indent();
        let (name, title) = (tag.name, escape(title));
        self.text.push_str(&format!("{}><title>{title}</title></{name}>\n", tag.text));
    }

    pub(super) fn words(&mut self, tag: Tag, words: &str) {
        self.indent();
        let name = tag.name;
        self.text.push_str(&format!("{}>{}</{name}>\n", tag.text, escape(words)));
    }

    pub(super) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }
}
