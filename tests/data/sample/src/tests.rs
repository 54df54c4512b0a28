//! Checks that need several modules at once.

use crate::geometry::shape::{Circle, Shape};
use crate::geometry::{parse_point, Point};
use crate::text::{line_end, wrap_text};

/// A description that is too wide for the terminal is broken between words.
#[test]
fn long_descriptions_are_wrapped() {
    let circle = Circle {
        center: Point::ORIGIN,
        radius: 2.0,
    };
    let lines = wrap_text(&circle.describe(), 12).unwrap();
    assert!(lines.iter().all(|line| line.chars().count() <= 12));
    assert_eq!(lines.join(" "), circle.describe());
}

#[test]
fn points_survive_line_ends() {
    let text = format!("3.0, 4.0{}", line_end());
    let point = parse_point(&text).unwrap();
    assert_eq!(point.distance_to(Point::ORIGIN), 5.0);
    assert!(parse_point("3.0; 4.0").is_err());
}
