-- CreateIndex
CREATE INDEX "poll_schedule_due_at_idx" ON "poll_schedule"("due_at");
