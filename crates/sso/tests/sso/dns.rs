//! TXT records.

use tigertrust_accounts::sso::DomainRecords;
use tigertrust_sso::dns::Dns;
use tigertrust_testkit::TestNameServer;

#[tokio::test]
async fn records_are_put_together_and_not_remembered() {
    let server = TestNameServer::start().await;
    let dns = Dns::from_server(server.address()).unwrap();
    let name = "_tigertrust.example.com";
    assert_eq!(dns.txt(name).await, Ok(vec![]), "there is no such name");

    server.set_txt(name, &["tigertrust=one"]);
    assert_eq!(dns.txt(name).await, Ok(vec!["tigertrust=one".to_owned()]));
    assert_eq!(
        dns.txt("_TigerTrust.Example.com.").await,
        Ok(vec!["tigertrust=one".to_owned()])
    );

    let long = "x".repeat(600);
    server.set_txt(name, &["v=spf1 -all", &long]);
    let mut found = dns.txt(name).await.unwrap();
    found.sort();
    assert_eq!(found, ["v=spf1 -all", &long]);

    server.set_txt(name, &[]);
    assert_eq!(dns.txt(name).await, Ok(vec![]), "the name has no such records");
}

#[tokio::test]
async fn what_is_no_name_has_no_records() {
    let server = TestNameServer::start().await;
    let dns = Dns::from_server(server.address()).unwrap();
    for name in [
        "a..example.com",
        &format!("{}.example.com", "a".repeat(64)),
        &"a.".repeat(200),
    ] {
        assert_eq!(dns.txt(name).await, Ok(vec![]), "{name}");
    }
}
