//! The table.

/// Rows, and whether each target was reached.
pub(crate) struct Report(Vec<Row>);

struct Row {
    what: String,
    measured: String,
    baseline: String,
    ratio: String,
    target: String,
    reached: bool,
}

impl Report {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// A rate that should be at least `target` of a baseline.
    pub(crate) fn at_least(&mut self, what: &str, unit: &str, value: f64, of: &str, baseline: f64, target: f64) {
        let ratio = value / baseline;
        self.add(Row {
            what: what.to_owned(),
            measured: format!("{value:.0} {unit}"),
            baseline: format!("{baseline:.0}, {of}"),
            ratio: format!("{:.0} %", ratio * 100.0),
            target: format!("≥ {:.0} %", target * 100.0),
            reached: ratio >= target,
        });
    }

    /// A latency that should be at most `target` times a baseline.
    pub(crate) fn ratio_at_most(&mut self, what: &str, unit: &str, value: f64, of: &str, baseline: f64, target: f64) {
        let ratio = value / baseline;
        self.add(Row {
            what: what.to_owned(),
            measured: format!("{value:.0} {unit}"),
            baseline: format!("{baseline:.0}, {of}"),
            ratio: format!("{ratio:.1} ×"),
            target: format!("≤ {target:.0} ×"),
            reached: ratio <= target,
        });
    }

    /// A value with a fixed bound.
    pub(crate) fn most(&mut self, what: &str, unit: &str, value: f64, target: f64) {
        self.add(Row {
            what: what.to_owned(),
            measured: format!("{value:.1} {unit}"),
            baseline: String::new(),
            ratio: String::new(),
            target: format!("≤ {target:.0} {unit}"),
            reached: value <= target,
        });
    }

    fn add(&mut self, row: Row) {
        eprintln!("{}: {} ({})", row.what, row.measured, row.ratio);
        self.0.push(row);
    }

    pub(crate) fn print(&self) {
        println!("| what | measured | baseline | ratio | target | |\n|---|---|---|---|---|---|");
        for row in &self.0 {
            let reached = if row.reached { "reached" } else { "MISSED" };
            println!(
                "| {} | {} | {} | {} | {} | {reached} |",
                row.what, row.measured, row.baseline, row.ratio, row.target
            );
        }
    }
}
