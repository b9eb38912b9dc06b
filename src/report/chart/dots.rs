//! Single results in a panel, as dots.

use super::layout::{Drawn, PALETTE, disc, line};
use super::lines::Transform;
use super::scene::{Primitive, Rgb, WHITE};

/// One result. Below the range of its panel it lies on the lower edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dot {
    pub at: (f64, f64),
    pub look: DotLook,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DotLook {
    /// A trial, or the run of a grid.
    Trial,
    /// The same settings on another seed.
    Again,
    /// What was chosen.
    Chosen,
    /// On the lower edge, whatever its height.
    Diverged,
}

impl DotLook {
    pub const ALL: [Self; 4] = [Self::Trial, Self::Again, Self::Chosen, Self::Diverged];

    const fn colour(self) -> Rgb {
        match self {
            Self::Trial | Self::Again => PALETTE[0],
            Self::Chosen => PALETTE[2],
            Self::Diverged => PALETTE[1],
        }
    }
}

/// In the order of their looks, so that what was chosen lies on top.
pub fn draw_dots(shapes: &mut Vec<Drawn>, dots: &[Dot], to: &Transform) {
    let mut dots: Vec<&Dot> = dots.iter().collect();
    dots.sort_by_key(|dot| dot.look);
    for dot in dots {
        let foot = to.frame.bottom - 6.0;
        let height =
            to.down(dot.at.1).filter(|_| dot.look != DotLook::Diverged).map_or(foot, |y| y.clamp(to.frame.top, foot));
        let Some(across) = to.across(dot.at.0).filter(|x| (to.frame.left - 0.5..=to.frame.right + 0.5).contains(x))
        else {
            continue;
        };
        draw_dot(shapes, (across, height), dot.look);
    }
}

/// One dot, also for a legend.
pub fn draw_dot(shapes: &mut Vec<Drawn>, at: (f64, f64), look: DotLook) {
    let colour = look.colour();
    match look {
        DotLook::Trial => shapes.push(faint(disc(at, 3.4, colour))),
        DotLook::Again => shapes.extend([disc(at, 3.2, colour), disc(at, 2.0, WHITE)]),
        DotLook::Chosen => shapes.extend([disc(at, 6.0, WHITE), disc(at, 5.0, colour)]),
        DotLook::Diverged => {
            for slope in [1.0, -1.0] {
                let ends = vec![(at.0 - 3.2, at.1 - 3.2 * slope), (at.0 + 3.2, at.1 + 3.2 * slope)];
                shapes.push(line(ends, colour, 1.8));
            }
        }
    }
}

fn faint(Drawn(shape): Drawn) -> Drawn {
    match shape {
        Primitive::Area { points, colour, .. } => Drawn(Primitive::Area { points, colour, opacity: 0.7 }),
        other => Drawn(other),
    }
}
