//! Where the operator's commands reach the running server: a Unix socket beside the database, which nobody
//! else may open. One connection is one order and its answer, each in the binary form of mls-core.

use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};

use mls_core::hub::{OperatorAnswer, OperatorOrder};
use mls_rs_codec::{MlsDecode, MlsEncode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::limits::{
    ORDER_ANSWER_BYTES_MAX, ORDER_BYTES_MAX, ORDER_DEADLINE, ORDER_PAUSE, ORDERS_WAITING_MAX,
};

/// An order, and where its answer goes once everything of it is stored.
#[derive(Debug)]
pub struct Ordered {
    /// What is wanted.
    pub order: OperatorOrder,
    /// Dropped where nothing of it was stored.
    pub done: oneshot::Sender<OperatorAnswer>,
}

/// Where the socket of a database is.
pub fn path(database: &Path) -> PathBuf {
    database.with_extension("socket")
}

/// Takes orders at `path` from now on, until the receiver is gone. Only who holds the database may call
/// this: what another process left there is taken away.
pub fn listen(path: &Path) -> io::Result<mpsc::Receiver<Ordered>> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    // Nobody can connect before it listens.
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    let listener = socket.listen(ORDERS_WAITING_MAX)?;
    let (orders, receiver) = mpsc::channel(1);
    tokio::spawn(accept(listener, orders));
    Ok(receiver)
}

/// One after the other: an operator does not hurry.
async fn accept(listener: UnixListener, orders: mpsc::Sender<Ordered>) {
    loop {
        let stream = tokio::select! {
            () = orders.closed() => return,
            accepted = listener.accept() => accepted.map(|(stream, _)| stream),
        };
        let served = match stream {
            Ok(stream) => timeout(ORDER_DEADLINE, serve(stream, &orders)).await,
            Err(error) => Ok(Err(error)),
        };
        match served {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "an order of the operator was not taken");
                // Where nothing can be accepted (too many open files), that does not change at once.
                sleep(ORDER_PAUSE).await;
            }
            Err(_) => tracing::warn!("an order of the operator took too long"),
        }
    }
}

async fn serve(mut stream: UnixStream, orders: &mpsc::Sender<Ordered>) -> io::Result<()> {
    let mut bytes = Vec::new();
    (&mut stream).take(ORDER_BYTES_MAX).read_to_end(&mut bytes).await?;
    let order = decode(&bytes)?;
    let (done, answered) = oneshot::channel();
    let gone = |_| io::Error::other("the server is stopping, or its database failed");
    orders.send(Ordered { order, done }).await.map_err(|_| gone(()))?;
    let answer = answered.await.map_err(|_| gone(()))?;
    stream.write_all(&encode(&answer)?).await?;
    stream.shutdown().await
}

/// Has a running server follow an order; nothing where none listens at `path`.
pub fn ask(path: &Path, order: &OperatorOrder) -> io::Result<Option<OperatorAnswer>> {
    use io::ErrorKind::{ConnectionRefused, NotFound};
    let mut stream = match BlockingStream::connect(path) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), NotFound | ConnectionRefused) => return Ok(None),
        Err(error) => return Err(error),
    };
    stream.set_read_timeout(Some(ORDER_DEADLINE))?;
    stream.write_all(&encode(order)?)?;
    stream.shutdown(Shutdown::Write)?;
    let mut bytes = Vec::new();
    stream.take(ORDER_ANSWER_BYTES_MAX).read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        return Err(io::Error::other("the server gave no answer: its log says why"));
    }
    decode(&bytes).map(Some)
}

fn encode(value: &impl MlsEncode) -> io::Result<Vec<u8>> {
    value.mls_encode_to_vec().map_err(io::Error::other)
}

fn decode<T: MlsDecode>(mut bytes: &[u8]) -> io::Result<T> {
    match T::mls_decode(&mut bytes) {
        Ok(value) if bytes.is_empty() => Ok(value),
        _ => Err(io::Error::other("the other side speaks another version of mls-bridge")),
    }
}

#[cfg(test)]
mod tests {
    use mls_core::hub::OrderDone;
    use tokio::task::spawn_blocking;

    use super::*;

    const DONE: OperatorAnswer = OperatorAnswer::Done(OrderDone { devices: Vec::new(), groups: 3 });

    async fn asked(path: &Path) -> io::Result<Option<OperatorAnswer>> {
        let path = path.to_owned();
        spawn_blocking(move || ask(&path, &OperatorOrder::List)).await.unwrap()
    }

    #[tokio::test]
    async fn an_order_is_answered_through_a_socket_that_nobody_else_may_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(&folder.path().join("mls-bridge.db"));
        assert!(asked(&path).await.unwrap().is_none(), "nobody listens yet");
        // What a server left that was killed.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(asked(&path).await.unwrap().is_none());
        let mut orders = listen(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let follows = tokio::spawn(async move {
            let Ordered { order, done } = orders.recv().await.unwrap();
            done.send(DONE).unwrap();
            // The next one is not followed: the database failed.
            drop(orders.recv().await.unwrap());
            order
        });
        assert_eq!(asked(&path).await.unwrap(), Some(DONE));
        assert!(asked(&path).await.is_err());
        assert_eq!(follows.await.unwrap(), OperatorOrder::List);
    }

    #[tokio::test]
    async fn junk_is_no_order_and_the_next_one_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let mut orders = listen(&path).unwrap();
        let junk = path.clone();
        let said = spawn_blocking(move || {
            let mut stream = BlockingStream::connect(junk).unwrap();
            stream.write_all(&[0xff; 5000]).ok();
            stream.shutdown(Shutdown::Write).ok();
            let mut said = Vec::new();
            stream.read_to_end(&mut said).ok();
            said
        });
        assert!(said.await.unwrap().is_empty());
        tokio::spawn(async move { orders.recv().await.unwrap().done.send(DONE).unwrap() });
        assert_eq!(asked(&path).await.unwrap(), Some(DONE));
    }
}
