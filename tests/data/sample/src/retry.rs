//! Trying again after a failure, with pauses that grow.

use std::thread;
use std::time::Duration;

/// Decides how long to wait before each further attempt.
pub trait Backoff {
    /// The pauses in their order; where they end, no further attempt is made.
    type Delays: IntoIterator<Item = Duration>;

    /// Lists the pauses between the attempts.
    fn delays(&self) -> Self::Delays;
}

/// Exponential backoff: waits twice as long after each failed attempt, up to a limit.
///
/// It gives an overloaded server time to recover.
#[derive(Debug, Clone, Copy)]
pub struct Doubling {
    /// The pause after the first failure.
    pub first: Duration,
    /// No pause is longer than this.
    pub longest: Duration,
    /// How often to try in all.
    pub attempts: u32,
}

impl Backoff for Doubling {
    type Delays = Vec<Duration>;

    fn delays(&self) -> Vec<Duration> {
        let mut delays = Vec::new();
        let mut pause = self.first;
        for _ in 1..self.attempts {
            delays.push(pause.min(self.longest));
            pause = pause.saturating_mul(2);
        }
        delays
    }
}

/// Calls an operation until it succeeds or the patience is used up.
///
/// The thread sleeps between the attempts.
///
/// # Errors
///
/// Returns the error of the last attempt; those before it are dropped.
pub fn retry<T, E>(
    backoff: &impl Backoff,
    mut operation: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let mut delays = backoff.delays().into_iter();
    loop {
        match operation() {
            Ok(value) => return Ok(value),
            Err(error) => match delays.next() {
                Some(pause) => thread::sleep(pause),
                None => return Err(error),
            },
        }
    }
}
