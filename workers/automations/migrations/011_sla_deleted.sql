-- Where the purge looks for items that were deleted long ago.
create index if not exists sla_items_deleted
  on engine_automations.sla_items (deleted_ms) where deleted_ms > 0;
