//! Stands between a client and the server, counts what passes, and makes trouble when it is told to.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tokio_util::sync::CancellationToken;

/// The first block of a feed, to the end of its chunk.
const GREETING: &[u8] = b": following\n\n\r\n";

/// A call that passed, as far as the tests ask about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) cost: Option<u32>,
}

/// A proxy before the server's port.
pub(crate) struct Proxy {
    url: String,
    trouble: Arc<Mutex<Trouble>>,
    _running: tokio_util::sync::DropGuard,
}

#[derive(Default)]
struct Trouble {
    upstream: String,
    calls: Vec<Call>,
    /// How often the feed was opened, and with which number.
    feeds: Vec<Option<String>>,
    pairs: HashMap<u64, Pair>,
    opened: u64,
    holds_answers: bool,
    silences_feed: bool,
    refuses_feed: bool,
    is_down: bool,
    breaks: u32,
    answers: VecDeque<String>,
}

/// A connection of the client's, and the one behind it.
struct Pair {
    is_feed: bool,
    /// Which of the calls is under way.
    call: Option<usize>,
    held: Vec<u8>,
    to_client: UnboundedSender<Vec<u8>>,
    ended: CancellationToken,
}

impl Proxy {
    /// A proxy that listens.
    pub(crate) async fn before(base_url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let trouble = Arc::new(Mutex::new(Trouble {
            upstream: base_url.strip_prefix("http://").unwrap().to_owned(),
            ..Trouble::default()
        }));
        let running = CancellationToken::new();
        let (accepting, ended) = (Arc::clone(&trouble), running.clone());
        tokio::spawn(async move {
            ended
                .run_until_cancelled(async {
                    while let Ok((client, _)) = listener.accept().await {
                        tokio::spawn(serve(Arc::clone(&accepting), client, ended.child_token()));
                    }
                })
                .await;
        });
        Self {
            url,
            trouble,
            _running: running.drop_guard(),
        }
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap()
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The calls that passed.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.trouble().calls.clone()
    }

    /// What each question about a key cost; 0 as well where the cost is not known yet.
    pub(crate) fn costs(&self) -> Vec<u32> {
        let calls = self.calls();
        let verifies = calls.iter().filter(|call| call.path == "/api/keys/verify");
        verifies.map(|call| call.cost.unwrap_or_default()).collect()
    }

    /// How many questions about keys passed.
    pub(crate) fn verifies(&self) -> usize {
        self.costs().len()
    }

    /// How often the feed was opened, and with which number.
    pub(crate) fn feeds(&self) -> Vec<Option<String>> {
        self.trouble().feeds.clone()
    }

    /// How many answers are kept back.
    pub(crate) fn held_answers(&self) -> usize {
        let trouble = self.trouble();
        trouble
            .pairs
            .values()
            .filter(|pair| !pair.is_feed && !pair.held.is_empty())
            .count()
    }

    /// Keeps back what the server answers to calls.
    pub(crate) fn hold_answers(&self) {
        self.trouble().holds_answers = true;
    }

    /// Lets go what is kept back, and keeps back what comes after that.
    pub(crate) fn release_held_answers(&self) {
        let mut trouble = self.trouble();
        trouble.pairs.values_mut().for_each(Pair::flush);
    }

    /// Lets them go.
    pub(crate) fn release_answers(&self) {
        self.trouble().holds_answers = false;
        self.release_held_answers();
    }

    /// Lets nothing of the feed through, and keeps it open.
    pub(crate) fn silence_feed(&self) {
        self.trouble().silences_feed = true;
    }

    /// Lets a feed begin, and tells nothing after that.
    pub(crate) fn restore_beginning_of_feed(&self) {
        let mut trouble = self.trouble();
        (trouble.silences_feed, trouble.refuses_feed) = (true, false);
    }

    /// Ends the feed, and lets none begin.
    pub(crate) fn cut_feed(&self) {
        let mut trouble = self.trouble();
        trouble.refuses_feed = true;
        trouble.pairs.retain(|_, pair| !pair.is_feed || pair.end());
    }

    /// Lets it begin again.
    pub(crate) fn restore_feed(&self) {
        let mut trouble = self.trouble();
        (trouble.silences_feed, trouble.refuses_feed) = (false, false);
        let feeds = trouble.pairs.values_mut().filter(|pair| pair.is_feed);
        feeds.for_each(Pair::flush);
    }

    /// Says something in the server's place.
    pub(crate) fn say_on_feed(&self, text: &str) {
        let trouble = self.trouble();
        for pair in trouble.pairs.values().filter(|pair| pair.is_feed) {
            let chunk = format!("{:x}\r\n{text}\r\n", text.len());
            let _ = pair.to_client.send(chunk.into_bytes());
        }
    }

    /// Breaks the connection of so many calls before they get an answer.
    pub(crate) fn break_calls(&self, count: u32) {
        self.trouble().breaks = count;
    }

    /// Answers the next question about a key in the server's place.
    pub(crate) fn answer_next(&self, response: impl Into<String>) {
        self.trouble().answers.push_back(response.into());
    }

    /// Is gone: ends all connections and takes none.
    pub(crate) fn go_down(&self) {
        let mut trouble = self.trouble();
        trouble.is_down = true;
        trouble.pairs.retain(|_, pair| pair.end());
    }

    /// Is back.
    pub(crate) fn come_back(&self) {
        self.trouble().is_down = false;
    }
}

impl Pair {
    fn flush(&mut self) {
        let held = std::mem::take(&mut self.held);
        let _ = self.to_client.send(held);
    }

    /// Ends it. It is not to be kept.
    fn end(&self) -> bool {
        self.ended.cancel();
        false
    }
}

/// What becomes of what a client has sent.
enum Passing {
    On,
    Answered,
    Ended,
}

impl Trouble {
    fn open(&mut self, ended: &CancellationToken) -> Option<(u64, UnboundedReceiver<Vec<u8>>)> {
        if self.is_down {
            return None;
        }
        let (to_client, from_proxy) = unbounded_channel();
        self.opened += 1;
        let pair = Pair {
            is_feed: false,
            call: None,
            held: Vec::new(),
            to_client,
            ended: ended.clone(),
        };
        self.pairs.insert(self.opened, pair);
        Some((self.opened, from_proxy))
    }

    fn pass_on(&mut self, id: u64, data: &[u8]) -> Passing {
        let text = String::from_utf8_lossy(data);
        let Some(pair) = self.pairs.get_mut(&id) else {
            return Passing::Ended;
        };
        let begun = text
            .strip_prefix("GET ")
            .or_else(|| text.strip_prefix("POST "))
            .and_then(|rest| rest.split_once(" HTTP"));
        if let Some((path, rest)) = begun {
            pair.is_feed = path == "/api/changes";
            if pair.is_feed {
                let last = rest.split_once("last-event-id: ");
                let last = last.and_then(|(_, rest)| rest.split_once("\r\n"));
                self.feeds.push(last.map(|(id, _)| id.to_owned()));
                if self.refuses_feed {
                    return Passing::Ended;
                }
            } else {
                pair.call = Some(self.calls.len());
                self.calls.push(Call {
                    path: path.to_owned(),
                    cost: None,
                });
            }
        }
        let cost = text.split_once("\"cost\":").map(|(_, rest)| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().unwrap()
        });
        if let (Some(cost), Some(call)) = (cost, pair.call) {
            self.calls[call].cost = Some(cost);
        }
        if !pair.is_feed && self.breaks > 0 {
            self.breaks -= 1;
            return Passing::Ended;
        }
        if cost.is_some()
            && let Some(answer) = self.answers.pop_front()
        {
            let _ = pair.to_client.send(answer.into_bytes());
            return Passing::Answered;
        }
        Passing::On
    }

    fn pass_back(&mut self, id: u64, data: &[u8]) {
        let (holds_answers, silences_feed) = (self.holds_answers, self.silences_feed);
        let Some(pair) = self.pairs.get_mut(&id) else {
            return;
        };
        // What a feed begins with is let through always.
        let greeting = data.windows(GREETING.len()).position(|window| window == GREETING);
        let begun = greeting
            .filter(|_| pair.is_feed)
            .map_or(0, |at| at + GREETING.len());
        let _ = pair.to_client.send(data[..begun].to_vec());
        pair.held.extend_from_slice(&data[begun..]);
        let is_held = if pair.is_feed {
            silences_feed
        } else {
            holds_answers
        };
        if !is_held {
            pair.flush();
        }
    }
}

async fn serve(trouble: Arc<Mutex<Trouble>>, client: TcpStream, ended: CancellationToken) {
    let upstream = trouble.lock().unwrap().upstream.clone();
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    let Some((id, mut from_proxy)) = trouble.lock().unwrap().open(&ended) else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = async {
        let mut data = vec![0; 65_536];
        while let Ok(length @ 1..) = from_client.read(&mut data).await {
            let passing = trouble.lock().unwrap().pass_on(id, &data[..length]);
            match passing {
                Passing::On if to_server.write_all(&data[..length]).await.is_err() => break,
                Passing::On | Passing::Answered => {}
                Passing::Ended => break,
            }
        }
    };
    let back = async {
        let mut data = vec![0; 65_536];
        while let Ok(length @ 1..) = from_server.read(&mut data).await {
            trouble.lock().unwrap().pass_back(id, &data[..length]);
        }
        // What was said last has to be written first.
        if let Some(pair) = trouble.lock().unwrap().pairs.remove(&id) {
            drop(pair);
        }
        std::future::pending::<()>().await;
    };
    let write = async {
        while let Some(data) = from_proxy.recv().await {
            if to_client.write_all(&data).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = there => {}
        () = back => {}
        () = write => {}
        () = ended.cancelled() => {}
    }
    trouble.lock().unwrap().pairs.remove(&id);
}
