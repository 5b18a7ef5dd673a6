-- DropIndex
DROP INDEX "orders_open";

-- CreateIndex
CREATE INDEX "orders_open" ON "orders"("state", "updated_at") WHERE (state <> 'completed' AND state <> 'canceled');

-- CreateIndex
CREATE INDEX "vendor_tasks_due_at_idx" ON "vendor_tasks"("due_at");

-- CreateIndex
CREATE INDEX "deliveries_in_doubt" ON "deliveries"("tenant_key", "background_check_id") WHERE (state = 'dead' AND dead_class = 'unconfirmed');
