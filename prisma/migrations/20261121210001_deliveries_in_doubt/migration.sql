-- CreateIndex
CREATE INDEX "deliveries_in_doubt" ON "deliveries"("tenant_key", "background_check_id") WHERE (state = 'dead' AND dead_class = 'unconfirmed');
