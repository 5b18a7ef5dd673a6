-- DropIndex
DROP INDEX "orders_open";

-- RenameIndex
ALTER INDEX "orders_open_by_age" RENAME TO "orders_open";
