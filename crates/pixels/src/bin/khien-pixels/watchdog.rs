//! Ends the process when one request takes far too long: the parent does so much earlier, but it
//! may be gone, and a decoder that turns in circles would do so for ever.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Three times what the parent waits.
const REQUEST_MAX: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(crate) struct Watchdog(Arc<Mutex<Option<Instant>>>);

impl Watchdog {
    /// Without a thread to be had, nobody watches.
    pub(crate) fn start() -> Self {
        let dog = Self(Arc::new(Mutex::new(None)));
        let watched = dog.clone();
        let _ = std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
            loop {
                std::thread::sleep(LOOK);
                let since = *watched.0.lock().unwrap_or_else(PoisonError::into_inner);
                if since.is_some_and(|s| s.elapsed() > REQUEST_MAX) {
                    std::process::abort();
                }
            }
        });
        dog
    }

    /// A request begins.
    pub(crate) fn begin(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// It is answered.
    pub(crate) fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
