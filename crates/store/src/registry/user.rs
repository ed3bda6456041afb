//! Who may come in, and who is in.

use std::str::FromStr;

use media::Wall;
use rusqlite::{Connection, OptionalExtension, Row, params};
use stdx::{Error, Kind, Result, Secret};

use super::{Registry, SESSIONS_PER_USER_MAX, USERS_MAX, sql, word};

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything.
    Owner,
    /// Look at live pictures and recordings.
    Viewer,
}

impl Role {
    /// `owner` or `viewer`.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Viewer => "viewer",
        }
    }
}

impl FromStr for Role {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        match s {
            "owner" => Ok(Self::Owner),
            "viewer" => Ok(Self::Viewer),
            _ => Err(Error::new(Kind::InvalidArgument, "a role is owner or viewer")),
        }
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Unique among users, byte for byte.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Argon2 PHC string.
    pub password_hash: Secret,
    /// Language tag such as `en` or `vi`.
    pub language: String,
    /// When it was added.
    pub created: Wall,
}

/// A new account; fields as in [`User`].
#[derive(Debug, Clone)]
pub struct NewUser {
    /// See [`User::name`].
    pub name: String,
    /// See [`User::role`].
    pub role: Role,
    /// See [`User::password_hash`].
    pub password_hash: Secret,
    /// See [`User::language`].
    pub language: String,
}

/// A logged-in browser or app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the token that only the browser has.
    pub token_sha256: [u8; 32],
    /// Whose it is.
    pub user: String,
    /// When it began.
    pub created: Wall,
    /// When it was last used, to the precision of [`Registry::touch_session`]'s callers.
    pub last_seen: Wall,
    /// When it ends whatever happens.
    pub expires: Wall,
    /// What the browser calls itself, at most 256 bytes.
    pub agent: String,
    /// Where it was opened from.
    pub address: String,
}

const SESSION: &str = "s.token_sha256, s.user, s.created_us, s.last_seen_us, s.expires_us, \
                       s.agent, s.address";
const USER: &str = "u.name, u.role, u.password_hash, u.language, u.created_us";

impl Registry {
    /// Adds an account.
    ///
    /// # Errors
    /// `InvalidArgument` for a bad name, `AlreadyExists`, `ResourceExhausted` beyond
    /// [`USERS_MAX`].
    pub fn add_user(&self, new: NewUser, now: Wall) -> Result<User> {
        self.change(|c| add(c, new, now))
    }

    /// Adds the first owner.
    ///
    /// # Errors
    /// `FailedPrecondition`, code `setup-done`, if there is an owner; else as
    /// [`Registry::add_user`].
    pub fn add_first_owner(&self, new: NewUser, now: Wall) -> Result<User> {
        self.change(|c| {
            if owners(c)? > 0 {
                let message = "this recorder has an owner already";
                return Err(Error::new(Kind::FailedPrecondition, message).with_code("setup-done"));
            }
            add(c, NewUser { role: Role::Owner, ..new }, now)
        })
    }

    /// Whether there is an owner.
    ///
    /// # Errors
    /// Only the database's.
    pub fn has_owner(&self) -> Result<bool> {
        Ok(owners(&self.lock())? > 0)
    }

    /// One account, `None` if there is none of this name.
    ///
    /// # Errors
    /// Only the database's.
    pub fn user(&self, name: &str) -> Result<Option<User>> {
        self.read(|c| {
            c.query_row(&format!("SELECT {USER} FROM user u WHERE name = ?1"), [name], |r| {
                read_user(r, 0)
            })
            .optional()
        })
    }

    /// All accounts by name.
    ///
    /// # Errors
    /// Only the database's.
    pub fn users(&self) -> Result<Vec<User>> {
        self.read(|c| {
            let mut query =
                c.prepare_cached(&format!("SELECT {USER} FROM user u ORDER BY name"))?;
            query.query_map([], |r| read_user(r, 0))?.collect()
        })
    }

    /// Sets another password and ends the account's sessions, except `keep`.
    ///
    /// # Errors
    /// `NotFound`, code `user-unknown`.
    pub fn set_password(&self, name: &str, hash: &Secret, keep: Option<[u8; 32]>) -> Result<()> {
        self.change(|c| {
            let changed = c
                .execute(
                    "UPDATE user SET password_hash = ?1 WHERE name = ?2",
                    params![hash.reveal(), name],
                )
                .map_err(sql)?;
            if changed == 0 {
                return Err(missing());
            }
            c.execute(
                "DELETE FROM session WHERE user = ?1 AND token_sha256 IS NOT ?2",
                params![name, keep],
            )
            .map(drop)
            .map_err(sql)
        })
    }

    /// Sets the language.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for something that is no language tag.
    pub fn set_language(&self, name: &str, language: &str) -> Result<()> {
        check_language(language)?;
        self.change(|c| {
            match c.execute("UPDATE user SET language = ?1 WHERE name = ?2", [language, name]) {
                Ok(0) => Err(missing()),
                Ok(_) => Ok(()),
                Err(e) => Err(sql(e)),
            }
        })
    }

    /// Removes an account and its sessions.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition`, code `last-owner`, for the only owner.
    pub fn remove_user(&self, name: &str) -> Result<()> {
        self.change(|c| {
            let role: Option<String> = c
                .query_row("SELECT role FROM user WHERE name = ?1", [name], |r| r.get(0))
                .optional()
                .map_err(sql)?;
            let role = role.ok_or_else(missing)?;
            if role == Role::Owner.slug() && owners(c)? == 1 {
                let message = "the only owner cannot be removed";
                return Err(Error::new(Kind::FailedPrecondition, message).with_code("last-owner"));
            }
            c.execute("DELETE FROM user WHERE name = ?1", [name]).map(drop).map_err(sql)
        })
    }

    /// Keeps a session; beyond [`SESSIONS_PER_USER_MAX`] the one not seen for longest ends.
    ///
    /// # Errors
    /// `NotFound` if the account is gone.
    pub fn add_session(&self, session: &Session) -> Result<()> {
        self.change(|c| {
            let known: bool = c
                .query_row(
                    "SELECT EXISTS(SELECT 1 FROM user WHERE name = ?1)",
                    [&session.user],
                    |r| r.get(0),
                )
                .map_err(sql)?;
            if !known {
                return Err(missing());
            }
            c.execute(
                "INSERT INTO session(token_sha256, user, created_us, last_seen_us, expires_us,
                                     agent, address) VALUES (?1,?2,?3,?4,?5,?6,?7)",
                params![
                    session.token_sha256,
                    session.user,
                    session.created.0,
                    session.last_seen.0,
                    session.expires.0,
                    cut(&session.agent),
                    cut(&session.address),
                ],
            )
            .map_err(sql)?;
            c.execute(
                "DELETE FROM session WHERE user = ?1 AND token_sha256 NOT IN (
                   SELECT token_sha256 FROM session WHERE user = ?1
                   ORDER BY last_seen_us DESC, created_us DESC, rowid DESC LIMIT ?2)",
                params![session.user, SESSIONS_PER_USER_MAX],
            )
            .map(drop)
            .map_err(sql)
        })
    }

    /// A session and its account. Whether it is still valid is the caller's to decide.
    ///
    /// # Errors
    /// Only the database's.
    pub fn session(&self, token_sha256: &[u8; 32]) -> Result<Option<(Session, User)>> {
        self.read(|c| {
            let mut query = c.prepare_cached(&format!(
                "SELECT {SESSION}, {USER} FROM session s JOIN user u ON u.name = s.user
                 WHERE s.token_sha256 = ?1"
            ))?;
            query.query_row([token_sha256], |r| Ok((read_session(r)?, read_user(r, 7)?))).optional()
        })
    }

    /// The sessions of one account, the newest first.
    ///
    /// # Errors
    /// Only the database's.
    pub fn sessions(&self, user: &str) -> Result<Vec<Session>> {
        self.read(|c| {
            let mut query = c.prepare_cached(&format!(
                "SELECT {SESSION} FROM session s WHERE s.user = ?1
                 ORDER BY s.created_us DESC, s.rowid DESC"
            ))?;
            query.query_map([user], read_session)?.collect()
        })
    }

    /// Says that a session was used.
    ///
    /// # Errors
    /// Only the database's.
    pub fn touch_session(&self, token_sha256: &[u8; 32], now: Wall) -> Result<()> {
        self.change(|c| {
            c.execute(
                "UPDATE session SET last_seen_us = max(last_seen_us, ?1) WHERE token_sha256 = ?2",
                params![now.0, token_sha256],
            )
            .map(drop)
            .map_err(sql)
        })
    }

    /// Ends a session; one that is gone is no error.
    ///
    /// # Errors
    /// Only the database's.
    pub fn remove_session(&self, token_sha256: &[u8; 32]) -> Result<()> {
        self.change(|c| {
            c.execute("DELETE FROM session WHERE token_sha256 = ?1", [token_sha256])
                .map(drop)
                .map_err(sql)
        })
    }

    /// Forgets sessions that expired before `now` or were not seen since `idle_since`; returns
    /// how many.
    ///
    /// # Errors
    /// Only the database's.
    pub fn purge_sessions(&self, now: Wall, idle_since: Wall) -> Result<usize> {
        self.change(|c| {
            c.execute(
                "DELETE FROM session WHERE expires_us <= ?1 OR last_seen_us < ?2",
                params![now.0, idle_since.0],
            )
            .map_err(sql)
        })
    }
}

fn missing() -> Error {
    Error::new(Kind::NotFound, "there is no such user").with_code("user-unknown")
}

fn owners(c: &Connection) -> Result<u32> {
    c.query_row("SELECT count(*) FROM user WHERE role = 'owner'", [], |r| r.get(0)).map_err(sql)
}

fn add(c: &Connection, new: NewUser, now: Wall) -> Result<User> {
    check_language(&new.language)?;
    let user = User {
        name: super::name(&new.name)?,
        role: new.role,
        password_hash: new.password_hash,
        language: new.language,
        created: now,
    };
    let (count, taken): (u32, bool) = c
        .query_row("SELECT count(*), coalesce(max(name = ?1), 0) FROM user", [&user.name], |r| {
            Ok((r.get(0)?, r.get(1)?))
        })
        .map_err(sql)?;
    if taken {
        let message = format!("a user called \"{}\" exists already", user.name);
        return Err(Error::new(Kind::AlreadyExists, message).with_code("name-taken"));
    }
    if count >= USERS_MAX {
        let message = format!("no more than {USERS_MAX} users");
        return Err(Error::new(Kind::ResourceExhausted, message).with_code("user-limit"));
    }
    c.execute(
        "INSERT INTO user(name, role, password_hash, language, created_us) VALUES (?1,?2,?3,?4,?5)",
        params![
            user.name,
            user.role.slug(),
            user.password_hash.reveal(),
            user.language,
            user.created.0
        ],
    )
    .map_err(sql)?;
    Ok(user)
}

fn check_language(tag: &str) -> Result<()> {
    let fine = (2..=16).contains(&tag.len())
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fine {
        return Ok(());
    }
    let message = "a language is a tag such as en or vi";
    Err(Error::new(Kind::InvalidArgument, message).with_code("language"))
}

/// At most 256 bytes, cut between characters.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(256)).unwrap_or_default()
}

fn read_session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        token_sha256: row.get(0)?,
        user: row.get(1)?,
        created: Wall(row.get(2)?),
        last_seen: Wall(row.get(3)?),
        expires: Wall(row.get(4)?),
        agent: row.get(5)?,
        address: row.get(6)?,
    })
}

fn read_user(row: &Row<'_>, first: usize) -> rusqlite::Result<User> {
    Ok(User {
        name: row.get(first)?,
        role: word(row, first + 1)?,
        password_hash: Secret::new(row.get(first + 2)?),
        language: row.get(first + 3)?,
        created: Wall(row.get(first + 4)?),
    })
}
