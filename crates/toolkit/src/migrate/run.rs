//! Doing it: one object after the other, each compared with the target's when it is done.

use strongroom_wire::ErrorKind;
use strongroom_wire::ids::Kind;

use super::{Action, Item, MigrateError, Migration, fault};

/// What a run did. Nothing was deleted unless `deleted` says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Restored from backups, with all versions and their material.
    pub moved: usize,
    /// Secrets copied.
    pub copied: usize,
    /// Keys made anew.
    pub recreated: usize,
    /// There already, and equal.
    pub present: usize,
    /// Not done, or not as it should be; kind, name and why.
    pub failed: Vec<(Kind, String, String)>,
    /// Keys among those done that could not show that they work, because they are disabled, expired or
    /// may neither sign nor open; kind, name and why.
    pub unproven: Vec<(Kind, String, String)>,
    /// Soft-deleted in the source.
    pub deleted: usize,
}

enum Done {
    Moved,
    Copied,
    Recreated,
    Present,
    Failed(String),
}

impl Migration {
    /// Moves everything that can be, and compares it; `progress` is told of each object and what was
    /// done with it. A second run goes on where the first was interrupted. With `delete_source`, the
    /// source's objects are soft-deleted at the end, if every one of them is in the target, equal, and
    /// every key has proven itself; otherwise none is.
    ///
    /// # Errors
    /// When a vault does not answer, or refuses. What is done stays done.
    pub async fn run(
        &self,
        delete_source: bool,
        progress: &mut (dyn FnMut(&Item, &str) + Send),
    ) -> Result<Report, MigrateError> {
        let mut report = Report::default();
        let (mut items, mut opens_backups) = (Vec::new(), [true; 2]);
        for (kind, name) in self.selected().await? {
            let item = self.plan_one(kind, &name).await?;
            let number = usize::from(kind == Kind::Key);
            let opens = opens_backups.get(number).copied().unwrap_or_default();
            let (mut done, opened) = self.act(&item, opens).await?;
            if let (Some(opens), Some(opened)) = (opens_backups.get_mut(number), opened) {
                *opens = opened;
            }
            if !matches!(done, Done::Failed(_)) {
                let compared = self.compare(kind, &name).await?;
                match (compared.difference, compared.unproven) {
                    (Some(why), _) => done = Done::Failed(why),
                    // A key that was just made has proven itself before it was limited.
                    (None, Some(why)) if !matches!(done, Done::Recreated) => {
                        report.unproven.push((kind, name.to_string(), why));
                    }
                    _ => {}
                }
            }
            let told = match &done {
                Done::Moved => "moved, with all versions",
                Done::Copied => "copied",
                Done::Recreated => "made anew and proven",
                Done::Present => "there already",
                Done::Failed(why) => why.as_str(),
            };
            progress(&item, told);
            match done {
                Done::Moved => report.moved = report.moved.saturating_add(1),
                Done::Copied => report.copied = report.copied.saturating_add(1),
                Done::Recreated => report.recreated = report.recreated.saturating_add(1),
                Done::Present => report.present = report.present.saturating_add(1),
                Done::Failed(why) => report.failed.push((kind, name.to_string(), why)),
            }
            items.push(item);
        }
        if delete_source && report.failed.is_empty() && report.unproven.is_empty() {
            for item in &items {
                let done = self.source.delete(&self.cx(), item.kind, &item.name).await;
                done.map_err(|error| fault(false, item.name.as_str(), error))?;
                progress(item, "deleted from the source");
                report.deleted = report.deleted.saturating_add(1);
            }
        }
        Ok(report)
    }

    /// Does what the plan says, backup and restore before anything else. Also whether the target
    /// opened the source's backup, when it was tried.
    async fn act(&self, item: &Item, try_backup: bool) -> Result<(Done, Option<bool>), MigrateError> {
        let mut opened = None;
        let from_backup = matches!(item.action, Action::Copy | Action::MoveOrRecreate);
        if from_backup
            && try_backup
            && let Ok(blob) = self.source.backup(&self.cx(), item.kind, &item.name).await
        {
            match self.target.restore(&self.cx(), item.kind, &blob).await {
                Ok(_) => return Ok((Done::Moved, Some(true))),
                Err(error) if error.kind == ErrorKind::BadParameter => opened = Some(false),
                Err(error) => return Err(fault(true, item.name.as_str(), error)),
            }
        }
        let done = match &item.action {
            Action::Present => Done::Present,
            Action::Blocked(why) => Done::Failed(why.clone()),
            Action::Copy => self.copy(&item.name, 0).await.map(|()| Done::Copied)?,
            Action::Continue(there) => self.copy(&item.name, *there).await.map(|()| Done::Copied)?,
            Action::MoveOrRecreate | Action::Recreate | Action::Finish => match self.recreate(&item.name).await? {
                Ok(()) => Done::Recreated,
                Err(why) => Done::Failed(why),
            },
        };
        Ok((done, opened))
    }
}
