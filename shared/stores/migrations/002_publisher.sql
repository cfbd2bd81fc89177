-- The broker user whose job it was, as the broker checked it; null where the message named none.
alter table engine.results add column publisher text;
