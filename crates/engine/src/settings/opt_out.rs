//! A service's own keywords: Advanced Opt-Out.

use std::sync::Arc;

use postrider_core::fault::Fault;
use postrider_core::opt_out::Edit;
use postrider_core::settings::{Document, Service};
use postrider_core::sid::ServiceSid;
use postrider_store::DocumentChange;

use crate::Engine;

impl Engine {
    /// Makes all changes of a service's configuration, or none; one that has none yet begins with the
    /// built-in keywords, and off. What holds then holds for the next text that is received.
    pub async fn edit_opt_out(
        &self,
        service: ServiceSid,
        actor: &str,
        edits: Vec<Edit>,
    ) -> Result<Arc<Service>, Fault> {
        let lock = self.settings_lock().await;
        let former = self.service(service)?;
        let mut changed = Service::clone(&former);
        let advanced = changed.advanced_opt_out.get_or_insert_default();
        let was_enabled = advanced.is_enabled;
        advanced.edit(edits)?;
        if advanced.is_enabled != was_enabled {
            let is_enabled = advanced.is_enabled;
            tracing::info!(%service, actor, is_enabled, "Advanced Opt-Out was switched");
        }
        changed.updated_ms = self.now_ms();
        let put = DocumentChange::Put(Document::Service(changed));
        self.write_settings(lock, vec![put]).await?;
        self.service(service)
    }

    /// Back to the default keywords. Who has opted out stays out.
    pub async fn forget_opt_out(&self, service: ServiceSid, actor: &str) -> Result<(), Fault> {
        tracing::info!(%service, actor, "Advanced Opt-Out was taken away");
        self.update_service(service, |service| service.advanced_opt_out = None)
            .await?;
        Ok(())
    }
}
