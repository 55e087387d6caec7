//! The plot: calls per second after a common restart, minute by minute, on a logarithmic scale.

use crate::simulation::{
    FIFTY_MINUTE_TIMER, HEALING_HELPER, HOURLY_ALARM, MINUTE, Parameters, RETRY_ON_REFUSAL,
    Results, of,
};

const MINUTES: i64 = 180;
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 36.0;

const DRAWN: [(&str, &str); 4] = [
    (RETRY_ON_REFUSAL, "#b58900"),
    (FIFTY_MINUTE_TIMER, "#6c71c4"),
    (HOURLY_ALARM, "#dc322f"),
    (HEALING_HELPER, "#2aa198"),
];

pub(crate) fn restart(parameters: &Parameters, results: &Results) -> String {
    let start = |minute| parameters.restarts_at() + minute * MINUTE;
    // Less than one call counts as one: a logarithm has no zero.
    let peaks = DRAWN.map(|(way, _)| {
        let peak = |minute| of(results, way).peak(start(minute), start(minute + 1)).max(1);
        (0..MINUTES).map(peak).collect::<Vec<_>>()
    });
    let highest = peaks.iter().flatten().max().copied().unwrap_or(1);
    let decades = f64::from(highest).log10().ceil().max(1.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"16\" font-size=\"13\">Calls per second after all containers \
         restart at once (peak of each minute)</text>\n"
    );
    for decade in 0..=decades as i32 {
        let (y, right, left) = (up(f64::from(decade) / decades), WIDTH - RIGHT, LEFT - 6.0);
        let (number, below) = (10_i64.pow(decade.unsigned_abs()), y + 4.0);
        svg += &format!(
            "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ddd\"/>\
             <text x=\"{left}\" y=\"{below:.1}\" text-anchor=\"end\">{number}</text>\n"
        );
    }
    for minute in (0..=MINUTES).step_by(30) {
        let (x, y) = (across(minute), HEIGHT - BOTTOM + 18.0);
        svg +=
            &format!("<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{minute} min</text>\n");
    }
    for (place, ((way, colour), peaks)) in (1..).zip(DRAWN.into_iter().zip(peaks)) {
        let point = |(minute, peak)| {
            format!("{:.1},{:.1}", across(minute), up(f64::from(peak).log10() / decades))
        };
        let points = (0..).zip(peaks).map(point).collect::<Vec<_>>().join(" ");
        let (x, y) = (WIDTH - RIGHT - 230.0, TOP + 14.0 * f64::from(place));
        svg += &format!(
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{points}\"/>\n\
             <text x=\"{x}\" y=\"{y}\" fill=\"{colour}\">{}</text>\n",
            way.replace('<', "&lt;")
        );
    }
    svg + "</svg>\n"
}

fn across(minute: i64) -> f64 {
    LEFT + (WIDTH - LEFT - RIGHT) * minute as f64 / MINUTES as f64
}

fn up(part: f64) -> f64 {
    HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part
}
