//! The plot: calls per second after a common restart, minute by minute, on a logarithmic scale.

use std::fmt::Write as _;

use crate::simulation::{Contender, Parameters, Tally};

const MINUTES: i64 = 180;
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 36.0;

const DRAWN: [(Contender, &str); 4] = [
    (Contender::RetryOnRefusal, "#b58900"),
    (Contender::FiftyMinuteTimer, "#6c71c4"),
    (Contender::HourlyAlarm, "#dc322f"),
    (Contender::HealingHelper, "#2aa198"),
];

pub(crate) fn restart(parameters: &Parameters, results: &[(Contender, Tally)]) -> String {
    let peaks = |wanted| {
        let tally = results.iter().find(|(contender, _)| *contender == wanted);
        tally.map(|(_, tally)| tally.peaks_by_minute(parameters.restarts_at(), MINUTES))
    };
    let curves: Vec<_> = DRAWN
        .iter()
        .filter_map(|(contender, colour)| Some((contender.name(), *colour, peaks(*contender)?)))
        .collect();
    let highest = curves.iter().flat_map(|(_, _, peaks)| peaks).max().copied().unwrap_or(1);
    let decades = f64::from(highest.max(1)).log10().ceil().max(1.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"16\" font-size=\"13\">Calls per second after all containers \
         restart at once (peak of each minute)</text>\n"
    );
    axes(&mut svg, decades);
    for (place, (name, colour, peaks)) in curves.iter().enumerate() {
        let points: Vec<_> = (0..).zip(peaks).map(|(x, peak)| point(x, *peak, decades)).collect();
        let y = TOP + 14.0 * (place as f64 + 1.0);
        let x = WIDTH - RIGHT - 230.0;
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{}\"/>\n\
             <text x=\"{x}\" y=\"{y}\" fill=\"{colour}\">{}</text>",
            points.join(" "),
            name.replace('<', "&lt;")
        );
    }
    svg + "</svg>\n"
}

fn axes(svg: &mut String, decades: f64) {
    for decade in 0..=decades as i32 {
        let y = height_of(f64::from(decade) / decades);
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y:.1}H{}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0,
            10_i64.pow(decade.unsigned_abs())
        );
    }
    for minute in (0..=MINUTES).step_by(30) {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{minute} min</text>",
            across(minute),
            HEIGHT - BOTTOM + 18.0
        );
    }
}

/// Less than one call counts as one: a logarithm has no zero.
fn point(minute: i64, peak: u32, decades: f64) -> String {
    let y = height_of(f64::from(peak.max(1)).log10() / decades);
    format!("{:.1},{y:.1}", across(minute))
}

fn across(minute: i64) -> f64 {
    LEFT + (WIDTH - LEFT - RIGHT) * minute as f64 / MINUTES as f64
}

fn height_of(part: f64) -> f64 {
    HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part
}
