//! A command's end of the control socket.
use super::{line, path};
use crate::limits;
use crate::ops::{Failure, Kind, Request, Response};
use std::io::{self, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A connection to a running server.
pub struct Client {
    stream: BufReader<UnixStream>,
    /// The next request has been sent already.
    is_ahead: bool,
}

impl Client {
    /// Connects to the server that has this data directory; `None`: no server answers there.
    ///
    /// # Errors
    /// A socket that exists and cannot be used (not this user's, for one).
    pub fn connect(data: &Path) -> Result<Option<Client>, Failure> {
        let (path, _open) = match path::of(data) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::io(data.display(), &error)),
        };
        match UnixStream::connect(&path) {
            Ok(stream) => Ok(Some(Client { stream: BufReader::new(stream), is_ahead: false })),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                Ok(None)
            }
            Err(error) => Err(Failure::io(data.join(super::SOCKET).display(), &error)),
        }
    }

    /// Sends a request without bytes whose answer the next `ask`, for the same, waits for: the server works meanwhile.
    pub fn ask_ahead(&mut self, request: &Request) {
        // What could not be sent is sent, and fails, then.
        let sent = line::write(self.stream.get_mut(), request, limits::CONTROL_REQUEST_BYTES_MAX);
        self.is_ahead = sent.is_ok();
    }

    /// Asks and waits for the answer and the bytes that follow it.
    pub fn ask(&mut self, request: &Request, payload: &[u8]) -> Result<(Response, Vec<u8>), Failure> {
        let lost = |error: &io::Error| {
            Failure::new(
                Kind::Failed,
                format!("the server did not answer ({error}); it may have carried out the request"),
            )
        };
        // A server that refuses closes without reading: its words are still there to read.
        let sent = match std::mem::take(&mut self.is_ahead) {
            true => Ok(()),
            false => line::write(self.stream.get_mut(), request, limits::CONTROL_REQUEST_BYTES_MAX)
                .and_then(|()| self.stream.get_mut().write_all(payload)),
        };
        match (line::read(&mut self.stream, limits::CONTROL_ANSWER_BYTES_MAX), sent) {
            (Ok(Some(answer)), _) => {
                let bytes = Response::payload_bytes(&answer);
                let payload = line::read_payload(&mut self.stream, bytes, limits::BULK_PAYLOAD_BYTES_MAX);
                payload.map(|payload| (answer, payload)).map_err(|error| lost(&error))
            }
            (_, Err(error)) | (Err(error), Ok(())) => Err(lost(&error)),
            (Ok(None), Ok(())) => Err(lost(&io::ErrorKind::UnexpectedEof.into())),
        }
    }
}
