//! The blocks of a page that say that they are to be run, written or compared.

/// What is to be done with a block.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// Commands that must succeed.
    Run,
    /// Commands that go on, beside what follows, once they have printed a text.
    Background { until: String },
    /// Commands after `$ `, each with what it prints.
    Console,
    /// A file that the reader makes.
    File { path: String },
    /// What stands in a file of the repository, from its first line to its last.
    SameAs { path: String },
    /// Lines that stand one after the other in a file of the repository, farther to the right perhaps.
    PartOf { path: String },
}

/// A block that something is to be done with.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    /// What.
    pub kind: Kind,
    /// Where the page has it, for messages.
    pub line: usize,
    /// What stands in it.
    pub text: String,
}

/// The blocks of a page, in order. Those that are only to be read are left out.
///
/// # Panics
/// If a block says something that means nothing.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let indented = line.trim_start();
        let fence: String = indented
            .chars()
            .take_while(|character| *character == '`')
            .collect();
        if fence.len() < 3 {
            continue;
        }
        let indent = line.len() - indented.len();
        let mut text = String::new();
        for (_, line) in lines.by_ref() {
            if line.trim() == fence {
                break;
            }
            let own = line.chars().take_while(|character| *character == ' ').count();
            text.push_str(&line[indent.min(own)..]);
            text.push('\n');
        }
        let information = indented.trim_start_matches('`');
        match kind(information) {
            Ok(Some(kind)) => found.push(Block {
                kind,
                line: number + 1,
                text,
            }),
            Ok(None) => {}
            Err(word) => panic!("line {}: `{word}` means nothing in `{information}`", number + 1),
        }
    }
    found
}

/// What the text behind a fence asks for, or the word in it that means nothing.
fn kind(information: &str) -> Result<Option<Kind>, String> {
    let mut words = words(information).into_iter();
    let language = words.next().unwrap_or_default();
    let (mut run, mut background, mut until, mut other) = (false, false, None, None);
    for word in words {
        match word.split_once('=') {
            None if word == "run" => run = true,
            None if word == "background" => background = true,
            Some(("until", text)) => until = Some(text.to_owned()),
            Some(("file", path)) => {
                other = Some(Kind::File {
                    path: path.to_owned(),
                })
            }
            Some(("same-as", path)) => {
                other = Some(Kind::SameAs {
                    path: path.to_owned(),
                })
            }
            Some(("part-of", path)) => {
                other = Some(Kind::PartOf {
                    path: path.to_owned(),
                })
            }
            _ => return Err(word),
        }
    }
    match (run, background, until, other) {
        (false, false, None, other) => Ok(other),
        (true, false, None, None) if language == "console" => Ok(Some(Kind::Console)),
        (true, false, None, None) => Ok(Some(Kind::Run)),
        (true, true, Some(until), None) if language != "console" => Ok(Some(Kind::Background { until })),
        _ => Err(information.to_owned()),
    }
}

/// The words of a text; between quotes a space is no end.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(character),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn blocks_say_what_is_to_be_done_with_them() {
    let page = "\
Text.

```sh run
echo one
```

- in a list:

  ```sh run background until=\"is ready\"
  serve
    --more
  ```

```python file=app.py
print(1)
```

```console run
$ echo two
two
```

````rust same-as=a/b.rs
```
````

```sh
only to be read
```

```nginx part-of=c.conf
listen 80;
```
";
    let found: Vec<_> = blocks(page)
        .into_iter()
        .map(|block| (block.line, block.kind, block.text))
        .collect();
    let path = |path: &str| path.to_owned();
    let expected = [
        (3, Kind::Run, path("echo one\n")),
        (
            9,
            Kind::Background {
                until: path("is ready"),
            },
            path("serve\n  --more\n"),
        ),
        (14, Kind::File { path: path("app.py") }, path("print(1)\n")),
        (18, Kind::Console, path("$ echo two\ntwo\n")),
        (23, Kind::SameAs { path: path("a/b.rs") }, path("```\n")),
        (31, Kind::PartOf { path: path("c.conf") }, path("listen 80;\n")),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_word_that_means_nothing_is_refused() {
    for information in [
        "sh rnu",
        "sh run background",
        "sh background until=x",
        "console run background until=x",
        "sh run file=x",
        "sh until=x",
    ] {
        assert!(kind(information).is_err(), "{information}");
    }
    for information in ["", "sh", "rust,ignore", "text"] {
        assert_eq!(kind(information), Ok(None), "{information}");
    }
}
