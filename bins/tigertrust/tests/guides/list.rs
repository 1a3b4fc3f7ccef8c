//! Which guides are run, and what stands in for what a test cannot do.

use crate::run::{Guide, run};

/// A guide, and what is another in a test than for a reader.
macro_rules! guides {
    ($($name:ident: $guide:expr;)+) => {
        /// Their pages, below `docs/src/guides`.
        pub const PAGES: &[&str] = &[$($guide.page),+];

        $(
            #[test]
            fn $name() {
                run(&$guide);
            }
        )+
    };
}

guides! {
    reverse_proxy: Guide {
        page: "reverse-proxy.md",
        ports: &[8080, 3000, 443],
        // Nothing of the machine's own is touched.
        instead: &[
            (" /etc/", " etc/"),
            (" deploy/", " {repository}/deploy/"),
            ("https://api.example.com/", "https://api.example.com:{443}/"),
        ],
        before: "listen={443} tigertrust={8080} backend={3000}\nsource {repository}/bins/tigertrust/tests/guides/stand_ins/reverse_proxy.sh",
    };
    from_unkey: Guide {
        page: "from-unkey.md",
        ports: &[8080],
        instead: &[],
        before: "",
    };
    from_express_session: Guide {
        page: "from-express-session.md",
        ports: &[8080, 3000, 3001],
        // The packages lie where the client's own tests have them, its build among them.
        instead: &[
            (
                "npm install express@5 express-session@1",
                "ln -s \"${CARGO_TARGET_DIR:-{repository}/target}/clients/typescript/node_modules\" node_modules",
            ),
            (
                "(cd tigertrust/clients/typescript && npm ci && npm run build) && npm install --install-links ./tigertrust/clients/typescript",
                "true",
            ),
        ],
        before: "PATH=$TIGERTRUST_TEST_PROVIDERS:$PATH",
    };
}
