//! Curves over time, or over anything that is counted: percentiles, rates, a load against what it costs. A single
//! curve is filled; with a band around it, it shows what lies between the least and the most.

use super::element::Tag;
use super::frame::{Chart, Frame, Series, Swatch, is_named};

/// What lies between a low and a high curve: the spread of seeds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Band<'a> {
    pub(crate) name: &'a str,
    pub(crate) class: &'a str,
    /// Place, least and most, in their order.
    pub(crate) points: &'a [(i64, i64, i64)],
}

/// The chart. The first curve lies on top, a band under all; `limit` is a line across, with its name.
pub(crate) fn lines(
    chart: &Chart<'_>,
    series: &[Series<'_>],
    band: Option<Band<'_>>,
    limit: Option<(&str, i64)>,
) -> String {
    let mut legend: Vec<_> = series.iter().map(|one| (one.name, one.class, Swatch::Line)).collect();
    legend.extend(band.map(|band| (band.name, band.class, Swatch::Fill)));
    legend.extend(limit.map(|(name, _)| (name, "limit", Swatch::Line)));
    if let [_] = legend[..] {
        legend.clear();
    }
    let mut frame = Frame::new(chart, &legend);
    if let Some(band) = band {
        let above: Vec<_> = band.points.iter().map(|(x, _, high)| (*x, *high)).collect();
        let below: Vec<_> = band.points.iter().rev().map(|(x, low, _)| (*x, *low)).collect();
        let path = [above, below].concat();
        let path = format!("{} Z", frame.path(&path, false));
        frame.svg.leaf(Tag::of("path", &format!("fill {}", band.class)).attr("d", &path));
    }
    for one in series.iter().rev().filter(|one| !one.points.is_empty()) {
        let path = frame.path(one.points, false);
        if let ([_], None) = (series, band) {
            let (first, last) = (one.points[0].0, one.points[one.points.len() - 1].0);
            let floor = frame.y.start;
            let length = super::element::length;
            let area = format!(
                "{path} L{} {} L{} {} Z",
                length(frame.x.at(last)),
                length(floor),
                length(frame.x.at(first)),
                length(floor)
            );
            frame.svg.leaf(Tag::of("path", &format!("fill {}", one.class)).attr("d", &area));
        }
        frame.svg.leaf(Tag::of("path", &format!("curve {}", one.class)).attr("d", &path));
        // Points of a history are few and each is a run; one alone would not be seen as a line.
        if is_named(&chart.x) || one.points.len() <= 12 {
            for (x, y) in one.points {
                let (x, y) = (frame.x.at(*x), frame.y.at(*y));
                let dot = Tag::of("circle", &format!("dot {}", one.class));
                frame.svg.leaf(dot.at("cx", x).at("cy", y).at("r", 22));
            }
        }
    }
    if let Some((name, limit)) = limit {
        let y = frame.y.at(limit);
        let title = format!("{name} {}", chart.y.tell(limit));
        let (left, right) = (frame.x.start, frame.x.end);
        frame.svg.told(super::element::line("limit", (left, y), (right, y)), &title);
    }
    frame.hits(series, false);
    frame.finish()
}
