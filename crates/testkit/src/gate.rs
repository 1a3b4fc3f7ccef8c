//! A gate between a client and a server: open it forwards, closed it cuts every connection, and it can delay or swallow what passes.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// What becomes of bytes on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Open,
    Closed,
    /// Nothing passes, and nobody is told.
    Held,
    /// Each piece waits so long.
    Slow(Duration),
}

#[derive(Clone, Copy)]
struct State {
    way: Way,
    target: SocketAddr,
}

/// A TCP forwarder on a loopback port that can be shut like a cable that is pulled.
pub struct Gate {
    address: SocketAddr,
    state: watch::Sender<State>,
    task: JoinHandle<()>,
}

impl Gate {
    /// A closed gate in front of `target`.
    pub async fn closed(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (state, states) = watch::channel(State {
            way: Way::Closed,
            target,
        });
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, states.clone()));
            }
        });
        Self { address, state, task }
    }

    /// Where the gate listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets connections through.
    pub fn open(&self) {
        self.turn(Way::Open);
    }

    /// Cuts all connections, and those that come.
    pub fn close(&self) {
        self.turn(Way::Closed);
    }

    /// Swallows nothing and passes nothing on: connections stay, and come to be, but nothing is heard on them.
    pub fn hold(&self) {
        self.turn(Way::Held);
    }

    /// Delays each piece that passes, in both directions.
    pub fn slow(&self, delay: Duration) {
        self.turn(Way::Slow(delay));
    }

    /// Cuts all connections, and leads those that come to another server once it is open.
    pub fn lead_to(&self, target: SocketAddr) {
        self.close();
        self.state.send_modify(|state| state.target = target);
    }

    fn turn(&self, way: Way) {
        self.state.send_modify(|state| state.way = way);
    }
}

async fn forward(client: TcpStream, mut state: watch::Receiver<State>) {
    let (pass, cut) = (state.clone(), state.wait_for(|state| state.way == Way::Closed));
    tokio::select! {
        () = connected(client, pass) => {}
        _ = cut => {}
    }
}

async fn connected(client: TcpStream, mut state: watch::Receiver<State>) {
    let Ok(target) = state
        .wait_for(|state| state.way != Way::Held)
        .await
        .map(|state| state.target)
    else {
        return;
    };
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    // Or small messages would wait for each other.
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(
        pass(from_client, to_server, state.clone()),
        pass(from_server, to_client, state)
    );
}

/// Passes one direction on until its end.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut piece = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let way = state
            .wait_for(|state| state.way != Way::Held)
            .await
            .map(|state| state.way);
        if let Ok(Way::Slow(delay)) = way {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
    // The other side may be gone already.
    drop(to.shutdown().await);
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}
