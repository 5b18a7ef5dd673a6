-- CreateIndex
CREATE INDEX "vendor_tasks_due_at_idx" ON "vendor_tasks"("due_at");
