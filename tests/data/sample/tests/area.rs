//! Areas, as a user of the crate computes them.

use std::time::Duration;

use sample::error::{Error, Severity};
use sample::geometry::shape::{Circle, Rectangle, Shape, PALETTE};
use sample::geometry::Point;
use sample::macros::{version_line, Metres};
use sample::retry::{retry, Doubling};

/// Adds up the areas of figures of one kind.
fn total_area<S: Shape>(shapes: &[S]) -> f64 {
    shapes.iter().map(Shape::area).sum()
}

#[test]
fn areas_add_up() {
    let corner = Point::from((1.0, 1.0)) + Point::from([1.0, 2.0]);
    let boxes = [
        Rectangle(Point::ORIGIN, corner),
        Rectangle(corner, Point::ORIGIN),
    ];
    assert_eq!(total_area(&boxes), 12.0);
    assert!(!boxes[0].is_square());
    assert_eq!(boxes[0].describe(), "shape with 4 sides that covers 6.00");
    let dot = Circle {
        center: corner,
        radius: 0.0,
    };
    assert_eq!(total_area(&[dot.clone(), dot]), 0.0);
    assert_eq!(PALETTE[0].transparency(), 0.0);
    assert_eq!(Metres(2.0).symbol(), "m");
    assert_eq!(version_line(), "sample 0.1.0");
}

#[test]
fn gives_up_after_the_last_attempt() {
    let backoff = Doubling {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(2),
        attempts: 3,
    };
    let mut calls = 0;
    let failed: Result<(), Error> = retry(&backoff, || {
        calls += 1;
        Err(Error::Service { code: calls })
    });
    let error = failed.unwrap_err();
    assert_eq!(error, Error::Service { code: 3 });
    assert_eq!(error.severity(), Severity::Passing);
    assert_eq!(error.to_string(), "the service failed with 3");
}
