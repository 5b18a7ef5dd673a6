-- AlterTable
ALTER TABLE "events" ADD COLUMN     "background_check_id" TEXT,
ADD COLUMN     "trace_parent" TEXT;

-- AlterTable
ALTER TABLE "lanes" ADD COLUMN     "unsure" BOOLEAN NOT NULL DEFAULT false;

-- AlterTable
ALTER TABLE "orders" ADD COLUMN     "erased_at" TIMESTAMPTZ(3),
ADD COLUMN     "trace_parent" TEXT;

-- CreateTable
CREATE TABLE "order_contacts" (
    "hash" BYTEA NOT NULL,
    "background_check_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "key_id" TEXT NOT NULL,

    CONSTRAINT "order_contacts_pkey" PRIMARY KEY ("hash","background_check_id")
);

-- CreateTable
CREATE TABLE "restores" (
    "id" BIGSERIAL NOT NULL,
    "backup_at" TIMESTAMPTZ(3) NOT NULL,
    "restored_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "released_at" TIMESTAMPTZ(3),

    CONSTRAINT "restores_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "audit" (
    "id" BIGSERIAL NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "actor" TEXT NOT NULL,
    "via" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "outcome" TEXT NOT NULL,
    "before" JSONB,
    "after" JSONB,
    "address" TEXT,

    CONSTRAINT "audit_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "idempotency_keys" (
    "hash" BYTEA NOT NULL,
    "request" BYTEA NOT NULL,
    "status" INTEGER,
    "answer_sealed" BYTEA,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "runs_until" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "idempotency_keys_pkey" PRIMARY KEY ("hash")
);

-- CreateTable
CREATE TABLE "call_minutes" (
    "minute" TIMESTAMPTZ(0) NOT NULL,
    "app_id" TEXT NOT NULL,
    "tenant_key" TEXT NOT NULL,
    "api" TEXT NOT NULL,
    "calls" INTEGER NOT NULL DEFAULT 0,
    "delivered" INTEGER NOT NULL DEFAULT 0,
    "limited" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "call_minutes_pkey" PRIMARY KEY ("minute","app_id","tenant_key","api")
);

-- CreateTable
CREATE TABLE "alerts" (
    "key" TEXT NOT NULL,
    "severity" TEXT NOT NULL,
    "detail" JSONB NOT NULL DEFAULT '{}',
    "raised_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "seen_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "notified_at" TIMESTAMPTZ(3),
    "cleared_at" TIMESTAMPTZ(3),

    CONSTRAINT "alerts_pkey" PRIMARY KEY ("key")
);

-- CreateIndex
CREATE INDEX "order_contacts_background_check_id_idx" ON "order_contacts"("background_check_id");

-- CreateIndex
CREATE INDEX "audit_subject_id_idx" ON "audit"("subject", "id" DESC);

-- CreateIndex
CREATE INDEX "audit_at_idx" ON "audit"("at");

-- CreateIndex
CREATE INDEX "idempotency_keys_created_at_idx" ON "idempotency_keys"("created_at");

-- CreateIndex
CREATE INDEX "events_of_check" ON "events"("background_check_id") WHERE (background_check_id IS NOT NULL);

-- CreateIndex
CREATE INDEX "events_kept" ON "events"("settled_at") WHERE (payload_sealed IS NOT NULL AND settled_at IS NOT NULL);

-- CreateIndex
CREATE INDEX "orders_not_erased" ON "orders"("updated_at") WHERE (erased_at IS NULL);

-- AlterTable
ALTER TABLE "vendor_tasks" ADD COLUMN     "crashes" INTEGER NOT NULL DEFAULT 0;

-- AlterTable
ALTER TABLE "holds" ADD COLUMN     "seen_at" TIMESTAMPTZ(3);

-- CreateTable
CREATE TABLE "encryption_keys" (
    "key_id" TEXT NOT NULL,
    "proof" BYTEA,
    "admitted_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "encryption_keys_pkey" PRIMARY KEY ("key_id")
);

-- CreateIndex
CREATE INDEX "orders_open" ON "orders"("state") WHERE (state <> 'completed' AND state <> 'canceled');

-- CreateIndex
CREATE INDEX "call_minutes_tenant_key_minute_idx" ON "call_minutes"("tenant_key", "minute");
