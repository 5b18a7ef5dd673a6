-- CreateIndex: under another name first, so that reads wait for the last two statements only. One table to a migration: whoever
-- settles holds one of them and wants the other.
CREATE INDEX "orders_open_by_age" ON "orders"("state", "updated_at") WHERE (state <> 'completed' AND state <> 'canceled');

-- DropIndex
DROP INDEX "orders_open";

-- RenameIndex
ALTER INDEX "orders_open_by_age" RENAME TO "orders_open";
