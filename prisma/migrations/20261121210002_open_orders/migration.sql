-- CreateIndex: it takes the place of "orders_open" in the next migration. In one transaction, whoever reads an order while it is
-- built and writes it then would wait for the build, and the drop for them.
CREATE INDEX "orders_open_by_age" ON "orders"("state", "updated_at") WHERE (state <> 'completed' AND state <> 'canceled');
