//! A name server of a test's own.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{net::UdpSocket, task::JoinHandle};

/// The type of TXT records, in the class of the internet.
const TXT: [u8; 4] = [0, 16, 0, 1];
const HEADER: usize = 12;

/// A name server on a loopback port that knows TXT records, and no other names.
pub struct TestNameServer {
    address: SocketAddr,
    records: Arc<Mutex<HashMap<String, Vec<String>>>>,
    task: JoinHandle<()>,
}

impl TestNameServer {
    /// One that knows nothing yet.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let address = socket.local_addr().expect("an address");
        let records = Arc::<Mutex<HashMap<String, Vec<String>>>>::default();
        let known = Arc::clone(&records);
        let task = tokio::spawn(async move {
            let mut query = [0; 1232];
            while let Ok((length, client)) = socket.recv_from(&mut query).await {
                let answer = answer(
                    &query[..length],
                    &known.lock().unwrap_or_else(PoisonError::into_inner),
                );
                let _ = socket.send_to(&answer, client).await;
            }
        });
        Self {
            address,
            records,
            task,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The TXT records of a name from now on.
    pub fn set_txt(&self, name: &str, records: &[&str]) {
        let records = records.iter().map(|&text| text.to_owned()).collect();
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_ascii_lowercase(), records);
    }
}

impl Drop for TestNameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The answer to a query of one question (RFC 1035 §4.1).
fn answer(query: &[u8], known: &HashMap<String, Vec<String>>) -> Vec<u8> {
    let (name, after_name) = name(query);
    let question = &query[HEADER..after_name + 4];
    let records = known.get(&name);
    let asked = records
        .filter(|_| question.ends_with(&TXT))
        .map_or(&[][..], Vec::as_slice);

    let mut answer = query[..2].to_vec();
    // A response, to recursion too; 3 says that there is no such name.
    answer.extend([0x81, if records.is_some() { 0x80 } else { 0x83 }]);
    let count = u16::try_from(asked.len()).expect("few records").to_be_bytes();
    answer.extend([0, 1, count[0], count[1], 0, 0, 0, 0]);
    answer.extend(question);
    for text in asked {
        // Strings of a record are short; longer texts are put together from several.
        let data: Vec<u8> = text
            .as_bytes()
            .chunks(255)
            .flat_map(|part| {
                std::iter::once(u8::try_from(part.len()).expect("short")).chain(part.iter().copied())
            })
            .collect();
        // The name of the question, which begins after the header.
        answer.extend([0xc0, 0x0c]);
        answer.extend(TXT);
        answer.extend([0, 0, 0, 0]);
        answer.extend(u16::try_from(data.len()).expect("short").to_be_bytes());
        answer.extend(data);
    }
    answer
}

/// The name in the question, and where it ends.
fn name(query: &[u8]) -> (String, usize) {
    let mut labels = Vec::new();
    let mut at = HEADER;
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).to_ascii_lowercase());
        at = end;
    }
    (labels.join("."), at + 1)
}
