//! Points in the plane, and the shapes that stand on them.

pub mod shape;

use std::ops::Add;

use crate::error::{Error, Result};

/// A place in the plane, given by its two coordinates.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Point {
    /// How far to the right of the origin.
    pub x: f64,
    /// How far above the origin.
    pub y: f64,
}

impl Point {
    /// Where both axes cross.
    pub const ORIGIN: Point = Point { x: 0.0, y: 0.0 };

    /// Measures the straight line between two points, after Pythagoras.
    #[must_use]
    pub fn distance_to(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

impl From<(f64, f64)> for Point {
    /// Takes the pair as the horizontal and the vertical coordinate.
    fn from((x, y): (f64, f64)) -> Self {
        Self { x, y }
    }
}

impl From<[f64; 2]> for Point {
    fn from([x, y]: [f64; 2]) -> Self {
        Self { x, y }
    }
}

impl Add for Point {
    /// The sum of two points is a point again.
    type Output = Point;

    /// Moves a point by another one, coordinate by coordinate.
    fn add(self, other: Point) -> Point {
        Point {
            x: self.x + other.x,
            y: self.y + other.y,
        }
    }
}

/// Reads a point from user input such as `3.5, -2`.
///
/// Blanks around the numbers do not matter.
///
/// # Errors
///
/// [`Error::MissingComma`] without a comma, [`Error::BadNumber`] where a
/// coordinate is not a decimal number.
pub fn parse_point(text: &str) -> Result<Point> {
    let (x, y) = text
        .split_once(',')
        .ok_or_else(|| Error::MissingComma(text.to_owned()))?;
    Ok(Point {
        x: x.trim().parse().map_err(Error::BadNumber)?,
        y: y.trim().parse().map_err(Error::BadNumber)?,
    })
}
