//! Which passwords are good enough, and how they are kept: Argon2id in the PHC string format.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use http::StatusCode;
use stdx::{Error, Kind, Result, Secret};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::problem::Problem;

/// Shortest password, characters.
pub const CHARS_MIN: usize = 12;
/// Shortest password that has lower case, upper case, digits and others, characters.
pub const CHARS_MIN_MIXED: usize = 8;
/// Longest password, bytes.
pub const BYTES_MAX: usize = 512;

/// Hashes that run at once: each takes 19 MiB and a core for a while.
const AT_ONCE: usize = 2;
/// Requests that may wait for their turn; beyond it the answer is 503 at once.
const WAITING_MAX: usize = 32;

/// Words, names, brands and keyboard walks that passwords are made of, one a line, sorted, lower
/// case.
const KNOWN: &str = include_str!("known_passwords.txt");

/// Whether a new password is good enough.
///
/// # Errors
/// 422 with code `password-short`, `password-long`, `password-known` or `password-simple`.
pub fn check(password: &str) -> std::result::Result<(), Problem> {
    let refuse = |code, detail: &str| Err(Problem::invalid(code, detail));
    let chars = password.chars().count();
    let has = |f: fn(char) -> bool| password.chars().any(f);
    let mixed = has(char::is_lowercase)
        && has(char::is_uppercase)
        && has(char::is_numeric)
        && has(|c| !c.is_alphanumeric());
    if password.len() > BYTES_MAX {
        return refuse("password-long", "a password has at most 512 bytes");
    }
    if chars < CHARS_MIN_MIXED || (chars < CHARS_MIN && !mixed) {
        return refuse(
            "password-short",
            "a password has at least 12 characters, or 8 with lower case, upper case, digits and others",
        );
    }
    if simple(password) {
        return refuse("password-simple", "this password repeats or counts; choose another");
    }
    if known(password) {
        return refuse(
            "password-known",
            "this password is one of those tried first; choose another",
        );
    }
    Ok(())
}

/// Few different characters, or all of them in a row such as `abcdefgh` or `87654321`.
fn simple(password: &str) -> bool {
    let chars: Vec<char> = password.to_lowercase().chars().collect();
    let mut different = chars.clone();
    different.sort_unstable();
    different.dedup();
    let step = |w: &[char]| i64::from(u32::from(w[1])) - i64::from(u32::from(w[0]));
    let rising = chars.windows(2).filter(|w| step(w) == 1).count();
    let falling = chars.windows(2).filter(|w| step(w) == -1).count();
    different.len() < 5 || rising.max(falling) * 4 >= (chars.len() - 1) * 3
}

/// A known word, with nothing but digits and signs around it or letters swapped for look-alikes.
fn known(password: &str) -> bool {
    let lower = password.to_lowercase();
    let plain: String = lower
        .chars()
        .map(|c| match c {
            '0' => 'o',
            '1' | '!' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            other => other,
        })
        .collect();
    let bare = |s: &str| s.trim_matches(|c: char| !c.is_alphabetic()).to_owned();
    // Swapping comes before trimming for `p@ssw0rd`, after it for `password1!`.
    let trimmed_end = lower.trim_end_matches(|c: char| !c.is_alphabetic()).len();
    let swapped_head = plain.chars().take(lower[..trimmed_end].chars().count()).collect::<String>();
    let mut forms = [lower.clone(), bare(&lower), bare(&plain), bare(&swapped_head)];
    forms.sort_unstable();
    KNOWN.lines().any(|word| forms.binary_search_by(|f| f.as_str().cmp(word)).is_ok())
        || repeats_known(&bare(&lower))
}

/// A known word written several times over.
fn repeats_known(text: &str) -> bool {
    KNOWN.lines().any(|word| {
        let times = text.len() / word.len().max(1);
        times >= 2 && text.len() == times * word.len() && text == word.repeat(times)
    })
}

/// Hashes and checks passwords, few at a time.
#[derive(Debug)]
pub(crate) struct Hasher {
    turns: Semaphore,
    waiting: Semaphore,
    /// The hash of a password that nobody knows: checked for users that do not exist, so that
    /// their refusal takes as long.
    dummy: Secret,
}

impl Hasher {
    pub(crate) fn new() -> Result<Self> {
        let mut random = [0_u8; 32];
        fill(&mut random)?;
        Ok(Self {
            turns: Semaphore::new(AT_ONCE),
            waiting: Semaphore::new(AT_ONCE + WAITING_MAX),
            dummy: hash(&random)?,
        })
    }

    /// Waits for a turn. What decides whether a password may be tried at all is asked after this,
    /// or many requests at once would all be let through.
    pub(crate) async fn turn(&self) -> std::result::Result<Turn<'_>, Problem> {
        let busy = || {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Problem::new(status, "busy", "too many log-ins at once").retry_after(2)
        };
        let place = self.waiting.try_acquire().map_err(|_| busy())?;
        let turn = self.turns.acquire().await.map_err(|_| busy())?;
        Ok(Turn { dummy: &self.dummy, _permits: (place, turn) })
    }
}

/// The right to hash one password.
pub(crate) struct Turn<'a> {
    dummy: &'a Secret,
    _permits: (SemaphorePermit<'a>, SemaphorePermit<'a>),
}

impl Turn<'_> {
    /// The PHC string of a password.
    pub(crate) async fn hash(&self, password: Secret) -> std::result::Result<Secret, Problem> {
        blocking(move || hash(password.reveal().as_bytes())).await
    }

    /// Whether `password` is the one of `phc`; never for `None`, but not sooner.
    pub(crate) async fn verify(
        &self,
        phc: Option<Secret>,
        password: Secret,
    ) -> std::result::Result<bool, Problem> {
        let known = phc.is_some();
        let phc = phc.unwrap_or_else(|| self.dummy.clone());
        let matches = blocking(move || {
            let parsed = PasswordHash::new(phc.reveal()).map_err(|e| {
                Error::new(Kind::DataLoss, "a stored password hash is damaged").with_source(e)
            })?;
            Ok(Argon2::default().verify_password(password.reveal().as_bytes(), &parsed).is_ok())
        })
        .await?;
        Ok(matches && known)
    }
}

async fn blocking<T: Send + 'static>(
    f: impl FnOnce() -> Result<T> + Send + 'static,
) -> std::result::Result<T, Problem> {
    Ok(tokio::task::spawn_blocking(f).await.map_err(|_| Problem::internal())??)
}

fn hash(password: &[u8]) -> Result<Secret> {
    let hash: PasswordHash = Argon2::default()
        .hash_password(password)
        .map_err(|e| Error::new(Kind::Internal, "the password cannot be hashed").with_source(e))?;
    Ok(Secret::new(hash.to_string()))
}

/// Random bytes from the system.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes)
        .map_err(|e| Error::new(Kind::Internal, "the system has no randomness").with_source(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_lower_case_and_long_enough() {
        let words: Vec<&str> = KNOWN.lines().collect();
        assert!(words.is_sorted() && words.len() >= 900, "{}", words.len());
        assert!(words.iter().all(|w| w.len() >= 3 && *w == w.to_lowercase()));
    }

    #[test]
    fn rules() {
        for (password, code) in [
            ("", "password-short"),
            ("Abc1!xy", "password-short"),
            ("elevenchars", "password-short"),
            ("Nodigits!", "password-short"),
            ("aaaaaaaaaaaa", "password-simple"),
            ("ababababababab", "password-simple"),
            ("123456789012", "password-simple"),
            ("abcdefghijklm", "password-simple"),
            ("ZYXWVUTSRQPON", "password-simple"),
            ("Password1!", "password-known"),
            ("P@ssw0rd!", "password-known"),
            ("Admin12345!", "password-known"),
            ("admin1234567890", "password-known"),
            ("!!!Hikvision2026", "password-known"),
            ("qwertyuiop12", "password-known"),
            ("Dahua@123456", "password-known"),
            ("hikvisionhikvision", "password-known"),
            ("7ujMko0admin", "password-known"),
            ("1qaz2wsx3edc", "password-known"),
            ("correcthorsebatterystaple", "password-known"),
            ("Anhyeuem@123", "password-known"),
            (&"x1Y!é".repeat(200), "password-long"),
        ] {
            assert_eq!(check(password).map_err(|p| p.code()), Err(code), "{password}");
        }
        for good in [
            "blue kettle on the roof",
            "Tr4m!xyQ",
            "cổng sắt màu xanh lá",
            "gate-otter-brisk-91",
            "pw-Owner-4711-x",
            "viewer-Passage-77-lamp",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[tokio::test]
    async fn hashes_differ_and_verify() {
        let hasher = Hasher::new().unwrap();
        let right = Secret::from("gate otter brisk 91");
        let turn = hasher.turn().await.unwrap();
        let a = turn.hash(right.clone()).await.unwrap();
        let b = turn.hash(right.clone()).await.unwrap();
        assert!(a.reveal().starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && a != b);
        assert_eq!(turn.verify(Some(a.clone()), right.clone()).await, Ok(true));
        assert_eq!(turn.verify(Some(a), Secret::from("other")).await, Ok(false));
        assert_eq!(turn.verify(None, right.clone()).await, Ok(false));
        let damaged = turn.verify(Some(Secret::from("nonsense")), right).await;
        assert_eq!(damaged.unwrap_err().status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
