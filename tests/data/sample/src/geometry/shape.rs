//! Closed figures that can be measured and painted.
//!
//! A new figure needs nothing but an area:
//!
//! ```
//! use sample::geometry::shape::Shape;
//!
//! struct Stamp;
//!
//! impl Shape for Stamp {
//!     fn area(&self) -> f64 {
//!         6.25
//!     }
//! }
//!
//! assert_eq!(Stamp.describe(), "round shape that covers 6.25");
//! ```

use super::Point;

/// Lengths that differ by less than this count as equal.
pub const TOLERANCE: f64 = 1e-9;

/// The colours that new drawings start with: opaque red and half transparent black.
pub static PALETTE: [Colour; 2] = [
    Colour {
        channels: [255, 0, 0, 255],
    },
    Colour {
        channels: [0, 0, 0, 128],
    },
];

/// A colour, seen as one packed number or as its four channels.
#[derive(Clone, Copy)]
#[repr(C)]
pub union Colour {
    /// All channels in one number, in the machine's byte order.
    pub packed: u32,
    /// Red, green, blue and opacity.
    pub channels: [u8; 4],
}

impl Colour {
    /// Tells how much of what lies below shines through, from 0.0 to 1.0.
    #[must_use]
    pub fn transparency(self) -> f64 {
        // SAFETY: both fields are plain bytes of the same size.
        let [_, _, _, opacity] = unsafe { self.channels };
        1.0 - f64::from(opacity) / 255.0
    }
}

/// Something flat with a measurable surface.
pub trait Shape {
    /// How many straight sides the figure has; none for round ones.
    const SIDES: u32 = 0;

    /// Computes the surface that the figure covers.
    fn area(&self) -> f64;

    /// Puts the figure into words for a screen reader.
    fn describe(&self) -> String {
        let area = self.area();
        match Self::SIDES {
            0 => format!("round shape that covers {area:.2}"),
            sides => format!("shape with {sides} sides that covers {area:.2}"),
        }
    }
}

/// All points at the same distance from a center.
#[derive(Debug, Clone, PartialEq)]
pub struct Circle {
    /// The middle.
    pub center: Point,
    /// The distance from the middle to the edge.
    pub radius: f64,
}

impl Shape for Circle {
    fn area(&self) -> f64 {
        std::f64::consts::PI * self.radius * self.radius
    }
}

/// A box whose sides run along the axes, given by two opposite corners.
#[derive(Debug, Clone, PartialEq)]
pub struct Rectangle(pub Point, pub Point);

impl Rectangle {
    /// Checks whether all four sides are equally long, up to rounding.
    pub fn is_square(&self) -> bool {
        let width = (self.0.x - self.1.x).abs();
        let height = (self.0.y - self.1.y).abs();
        (width - height).abs() < TOLERANCE
    }
}

impl Shape for Rectangle {
    const SIDES: u32 = 4;

    /// Multiplies width by height, whichever corners were given.
    fn area(&self) -> f64 {
        let width = (self.0.x - self.1.x).abs();
        let height = (self.0.y - self.1.y).abs();
        width * height
    }
}
