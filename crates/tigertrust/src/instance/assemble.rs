//! Puts an instance together.

use std::sync::{Arc, Mutex, OnceLock};

use tigertrust_accounts::{
    HygieneFlows, HygieneReviews, InvitationFlows, KeyFlows, MemberFlows, Notifier, ProfileFlows, Stewards,
    TellsNobody, UsageFlows, UserFlows, WorkspaceFlows,
    audit::{AuditFlows, RefusalLog},
};
use tigertrust_credentials::{
    Admission, AuditRing, ChangeTracker, RateLimits, RecentChanges, ports::ChangeListener,
};
use tigertrust_model::NodeId;
#[cfg(feature = "mail")]
use tigertrust_notify::Postman;
use tigertrust_rate_limit::RateLimiter;
#[cfg(feature = "valkey")]
use tigertrust_rate_limit::Valkey;
use tigertrust_storage::{Storage, StorageParts};

use super::{Foundation, Inner, TigerTrust};
#[cfg(feature = "valkey")]
use crate::limits::Told;
use crate::{BuildError, gate::GateParts, limits::Ledger, presence::Presence};

impl TigerTrust {
    pub(crate) fn over(foundation: Foundation) -> Result<Self, BuildError> {
        let Foundation {
            url,
            options,
            peppers,
            catalog,
            formats,
            cache,
            max_staleness,
            limits,
            hasher,
            usage,
            hygiene,
            steady,
            clock,
            random,
            runtime,
            ..
        } = &foundation;
        let tracker = Arc::new(ChangeTracker::new(Arc::clone(clock), *max_staleness));
        let recent = Arc::new(RecentChanges::new());
        let listener = Arc::new((Arc::clone(&tracker), Arc::clone(&recent))) as Arc<dyn ChangeListener>;
        let ring = AuditRing::new(peppers.clone());
        let parts = StorageParts {
            clock: Arc::clone(steady),
            random: Arc::clone(random),
            audit: ring.clone(),
            listener,
            runtime: runtime.clone(),
        };
        let storage = Storage::open(url, *options, parts)?;
        let limiter = RateLimiter::new(Arc::clone(clock));
        #[cfg(feature = "valkey")]
        let limiter = match &foundation.valkey {
            Some(settings) => limiter.share(Arc::new(Valkey::new(
                settings,
                Arc::clone(clock),
                Arc::new(Told),
            )?)),
            None => limiter,
        };
        let limits = Arc::new(RateLimits::new(
            limits.clone(),
            Arc::new(limiter),
            Arc::clone(clock),
        ));
        let ledger = Ledger {
            limits: Arc::clone(&limits),
            store: storage.spends(),
            node: NodeId::new(clock.now(), &**random)?,
        };
        #[cfg(feature = "webhooks")]
        let encryption = foundation.webhooks.encryption.clone();
        #[cfg(not(feature = "webhooks"))]
        let encryption = None;
        let presence = Arc::new(Presence {
            store: storage.spends(),
            #[cfg(feature = "valkey")]
            limits: Arc::clone(&limits),
            clock: Arc::clone(clock),
            node: ledger.node,
            name: foundation.name.clone(),
            peppers: peppers.clone(),
            encryption,
            #[cfg(feature = "server")]
            app: OnceLock::new(),
            told: Mutex::default(),
        });
        let admission = Admission::new(
            peppers.clone(),
            Arc::clone(clock),
            storage.credentials(),
            &tracker,
            *cache,
            Arc::clone(&limits),
        );
        let admission = Arc::new(admission.with_formats(formats.clone()));
        let keys = KeyFlows::new(
            storage.keys(),
            storage.credentials(),
            storage.members(),
            Arc::clone(catalog),
            peppers.clone(),
            Arc::clone(clock),
            Arc::clone(random),
        )
        .with_formats(formats.clone());
        let users = UserFlows::new(
            storage.accounts(),
            hasher.clone(),
            Arc::clone(clock),
            Arc::clone(random),
        );
        let plans = limits.limits().plans.clone();
        let workspaces =
            WorkspaceFlows::new(storage.accounts(), plans, Arc::clone(clock), Arc::clone(random));
        let members = MemberFlows::new(storage.members(), storage.accounts(), Arc::clone(clock));
        #[cfg(feature = "mail")]
        let postman = foundation.mail.as_ref().map(|(letterhead, transport)| {
            let random = Arc::clone(random);
            Postman::new(letterhead.clone(), Arc::clone(transport), random, runtime.clone())
        });
        #[cfg(feature = "mail")]
        let mail = postman
            .clone()
            .map(|postman| Arc::new(postman) as Arc<dyn Notifier>);
        #[cfg(not(feature = "mail"))]
        let mail: Option<Arc<dyn Notifier>> = None;
        let notifier = mail.clone().unwrap_or_else(|| Arc::new(TellsNobody));
        let invitations = InvitationFlows::new(
            storage.invitations(),
            storage.accounts(),
            storage.sign_ins(),
            mail,
            Arc::clone(clock),
            Arc::clone(random),
        );
        let profiles = ProfileFlows::new(
            storage.profiles(),
            storage.audit(),
            Arc::clone(&notifier),
            Arc::clone(clock),
        );
        let audit = AuditFlows::new(storage.audit(), ring, Arc::clone(clock));
        let refusals = RefusalLog::new(storage.audit());
        let usage = UsageFlows::new(storage.usage_history(), storage.keys(), *usage, Arc::clone(clock));
        let hygiene = HygieneFlows::new(
            storage.keys(),
            storage.usage_history(),
            *hygiene,
            Arc::clone(clock),
        );
        let stewards = Stewards::new(storage.accounts(), storage.members(), Arc::clone(&notifier));
        #[cfg(feature = "webhooks")]
        let webhooks = crate::webhooks::flows(&foundation, &storage, stewards.clone())?;
        #[cfg(feature = "webhooks")]
        let courier = tigertrust_notify::webhooks::Courier::new(webhooks.outbox(), runtime.clone());
        let reviews = HygieneReviews::new(hygiene.clone(), storage.accounts(), storage.audit(), stewards);
        let storage = Arc::new(storage);
        let gate = Arc::new(GateParts {
            admission: Arc::clone(&admission),
            limits: Arc::clone(&limits),
            tracker: Arc::clone(&tracker),
            catalog: Arc::clone(catalog),
            peppers: peppers.clone(),
            clock: Arc::clone(clock),
            random: Arc::clone(random),
            #[cfg(feature = "answers")]
            outages: tigertrust_credentials::OutageLog::new(Arc::clone(clock)),
            upkeep: None,
        });
        Ok(Self(Arc::new(Inner {
            keys,
            users,
            workspaces,
            members,
            invitations,
            profiles,
            audit,
            refusals,
            reviews,
            #[cfg(feature = "webhooks")]
            webhooks,
            #[cfg(feature = "server")]
            metrics: crate::server::figures(
                &storage,
                &admission,
                &ledger.limits,
                postman.as_ref(),
                &courier,
                steady,
            ),
            admission,
            usage,
            hygiene,
            #[cfg(feature = "webhooks")]
            courier,
            storage,
            notifier,
            #[cfg(feature = "mail")]
            postman,
            gate,
            foundation,
            ledger,
            presence,
            tracker,
            recent,
            feed: OnceLock::new(),
            background: OnceLock::new(),
        })))
    }
}
