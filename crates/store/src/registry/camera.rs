//! The cameras: where they are and how to log in to them.

use std::str::FromStr;

use media::{CameraId, Wall};
use rusqlite::{Connection, OptionalExtension, Row, params};
use stdx::{Error, Kind, Result, Secret};

use super::{CAMERAS_MAX, Registry, TEXT_BYTES_MAX, URL_BYTES_MAX, sql, word};

/// How a camera is to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// Inside the RTSP connection.
    #[default]
    Tcp,
    /// As RTP over UDP.
    Udp,
}

impl Transport {
    /// `tcp` or `udp`.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl FromStr for Transport {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        match s {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            _ => Err(Error::new(Kind::InvalidArgument, "a transport is tcp or udp")),
        }
    }
}

/// How long a camera's recordings are kept. `None` is no limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Days of 24 hours.
    pub max_days: Option<u32>,
    /// Bytes of media files.
    pub max_bytes: Option<u64>,
}

/// A camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Camera {
    /// Its id, for ever.
    pub id: CameraId,
    /// Unique among cameras.
    pub name: String,
    /// `rtsp://` or `rtsps://` address without credentials.
    pub url: String,
    /// User at the camera.
    pub user: Option<String>,
    /// Password at the camera.
    pub password: Option<Secret>,
    /// How it is to send.
    pub transport: Transport,
    /// Connected to and recorded.
    pub enabled: bool,
    /// Cameras are listed by this, then by name.
    pub position: i64,
    /// Limits of its own; `None` for the system's.
    pub retention: Option<Retention>,
    /// SHA-256 of the certificate it must show.
    pub certificate: Option<[u8; 32]>,
    /// What was learned about it, as a JSON text that only the learner reads.
    pub learned: String,
    /// When it was added.
    pub created: Wall,
}

/// What a person says about a new camera; fields as in [`Camera`].
#[derive(Debug, Clone, Default)]
pub struct NewCamera {
    /// See [`Camera::name`].
    pub name: String,
    /// See [`Camera::url`].
    pub url: String,
    /// See [`Camera::user`].
    pub user: Option<String>,
    /// See [`Camera::password`].
    pub password: Option<Secret>,
    /// See [`Camera::transport`].
    pub transport: Transport,
    /// See [`Camera::retention`].
    pub retention: Option<Retention>,
    /// See [`Camera::certificate`].
    pub certificate: Option<[u8; 32]>,
}

const COLUMNS: &str = "id, name, url, user, password, transport, enabled, position, retention, \
                       max_days, max_bytes, certificate, learned, created_us";

impl Registry {
    /// Adds an enabled camera with a fresh random id, after all others.
    ///
    /// # Errors
    /// `InvalidArgument` for a bad name or address, `AlreadyExists` for a name in use,
    /// `ResourceExhausted` beyond [`CAMERAS_MAX`].
    pub fn add_camera(&self, new: NewCamera, now: Wall) -> Result<Camera> {
        let bits = getrandom::u64().map_err(|e| {
            Error::new(Kind::Internal, "the system has no randomness").with_source(e)
        })?;
        let mut camera = Camera {
            id: CameraId::from_bits(bits),
            name: new.name,
            url: new.url,
            user: new.user,
            password: new.password,
            transport: new.transport,
            enabled: true,
            position: 0,
            retention: new.retention,
            certificate: new.certificate,
            learned: String::new(),
            created: now,
        };
        check(&mut camera)?;
        self.change(|c| {
            let (count, last): (u32, i64) = c
                .query_row("SELECT count(*), coalesce(max(position), 0) FROM camera", [], |r| {
                    Ok((r.get(0)?, r.get(1)?))
                })
                .map_err(sql)?;
            if count >= CAMERAS_MAX {
                let message = format!("no more than {CAMERAS_MAX} cameras");
                return Err(Error::new(Kind::ResourceExhausted, message).with_code("camera-limit"));
            }
            camera.position = last.saturating_add(1);
            put(c, "INSERT", &camera)
        })?;
        Ok(camera)
    }

    /// Changes a camera in one step: `edit` is handed the record as it is now. Id and time of
    /// creation stay what they were.
    ///
    /// # Errors
    /// `NotFound`, what `edit` returns, and as [`Registry::add_camera`].
    pub fn edit_camera(
        &self,
        id: CameraId,
        edit: impl FnOnce(&mut Camera) -> Result<()>,
    ) -> Result<Camera> {
        self.change(|c| {
            let before = get(c, id)?;
            let mut camera = before.clone();
            edit(&mut camera)?;
            (camera.id, camera.created) = (before.id, before.created);
            check(&mut camera)?;
            put(c, "REPLACE", &camera)?;
            Ok(camera)
        })
    }

    /// Keeps what was learned about a camera. A camera that is gone is no error.
    ///
    /// # Errors
    /// `InvalidArgument` beyond [`TEXT_BYTES_MAX`].
    pub fn set_learned(&self, id: CameraId, learned: &str) -> Result<()> {
        check_learned(learned)?;
        self.change(|c| {
            c.execute("UPDATE camera SET learned = ?1 WHERE id = ?2", params![learned, key(id)])
                .map(drop)
                .map_err(sql)
        })
    }

    /// Forgets a camera. Its recordings are not touched.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn remove_camera(&self, id: CameraId) -> Result<()> {
        self.change(|c| match c.execute("DELETE FROM camera WHERE id = ?1", [key(id)]) {
            Ok(0) => Err(missing()),
            Ok(_) => Ok(()),
            Err(e) => Err(sql(e)),
        })
    }

    /// One camera.
    ///
    /// # Errors
    /// `NotFound`, code `camera-unknown`.
    pub fn camera(&self, id: CameraId) -> Result<Camera> {
        get(&self.lock(), id)
    }

    /// All cameras in the order people gave them.
    ///
    /// # Errors
    /// Only the database's.
    pub fn cameras(&self) -> Result<Vec<Camera>> {
        self.read(|c| {
            let mut query =
                c.prepare_cached(&format!("SELECT {COLUMNS} FROM camera ORDER BY position, name"))?;
            query.query_map([], read)?.collect()
        })
    }
}

fn missing() -> Error {
    Error::new(Kind::NotFound, "there is no such camera").with_code("camera-unknown")
}

const fn key(id: CameraId) -> i64 {
    id.to_bits().cast_signed()
}

fn get(c: &Connection, id: CameraId) -> Result<Camera> {
    c.query_row(&format!("SELECT {COLUMNS} FROM camera WHERE id = ?1"), [key(id)], read)
        .optional()
        .map_err(sql)?
        .ok_or_else(missing)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Camera> {
    let limited: bool = row.get(8)?;
    let max_bytes: Option<i64> = row.get(10)?;
    let retention = Retention {
        max_days: row.get(9)?,
        max_bytes: max_bytes.map(|b| u64::try_from(b).unwrap_or(0)),
    };
    Ok(Camera {
        id: CameraId::from_bits(row.get::<_, i64>(0)?.cast_unsigned()),
        name: row.get(1)?,
        url: row.get(2)?,
        user: row.get(3)?,
        password: row.get::<_, Option<String>>(4)?.map(Secret::new),
        transport: word(row, 5)?,
        enabled: row.get(6)?,
        position: row.get(7)?,
        retention: limited.then_some(retention),
        certificate: row.get(11)?,
        learned: row.get(12)?,
        created: Wall(row.get(13)?),
    })
}

/// Writes the whole record. `verb` is INSERT, or REPLACE for one that is there.
fn put(c: &Connection, verb: &str, camera: &Camera) -> Result<()> {
    let taken: bool = c
        .query_row(
            "SELECT EXISTS(SELECT 1 FROM camera WHERE name = ?1 AND id <> ?2)",
            params![camera.name, key(camera.id)],
            |r| r.get(0),
        )
        .map_err(sql)?;
    if taken {
        let message = format!("a camera called \"{}\" exists already", camera.name);
        return Err(Error::new(Kind::AlreadyExists, message).with_code("name-taken"));
    }
    let limits = camera.retention.unwrap_or_default();
    c.execute(
        &format!(
            "{verb} INTO camera({COLUMNS}) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)"
        ),
        params![
            key(camera.id),
            camera.name,
            camera.url,
            camera.user,
            camera.password.as_ref().map(Secret::reveal),
            camera.transport.slug(),
            camera.enabled,
            camera.position,
            camera.retention.is_some(),
            limits.max_days,
            limits.max_bytes.map(|b| i64::try_from(b).unwrap_or(i64::MAX)),
            camera.certificate,
            camera.learned,
            camera.created.0,
        ],
    )
    .map(drop)
    .map_err(sql)
}

/// Puts the record into the form it is kept in, or says what is wrong with it.
fn check(camera: &mut Camera) -> Result<()> {
    camera.name = super::name(&camera.name)?;
    let authority = camera.url.split_once("://").map(|(_, rest)| rest);
    let authority = authority.and_then(|rest| rest.split(['/', '?', '#']).next());
    let plain = camera.url.chars().all(|c| !c.is_control() && !c.is_whitespace());
    if camera.url.len() > URL_BYTES_MAX || !plain || authority.is_none_or(str::is_empty) {
        let message = "the address of a camera looks like rtsp://192.168.1.20/stream";
        return Err(Error::new(Kind::InvalidArgument, message).with_code("camera-url"));
    }
    if authority.is_some_and(|a| a.contains('@')) {
        let message = "give user and password apart from the address";
        return Err(Error::new(Kind::InvalidArgument, message).with_code("camera-url"));
    }
    let long = |text: &str| text.len() > 256 || text.chars().any(char::is_control);
    if camera.user.as_deref().is_some_and(long)
        || camera.password.as_ref().is_some_and(|p| long(p.reveal()))
    {
        let message = "user and password of a camera have at most 256 bytes, none of them control";
        return Err(Error::new(Kind::InvalidArgument, message).with_code("camera-auth"));
    }
    check_learned(&camera.learned)
}

fn check_learned(text: &str) -> Result<()> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::new(Kind::InvalidArgument, "too much was learned about a camera"));
    }
    Ok(())
}
