-- CreateTable
CREATE TABLE "catalogs" (
    "account_id" TEXT NOT NULL,
    "wanted" JSONB,
    "held" JSONB NOT NULL DEFAULT '{"packages":[],"additional_items":[],"custom_fields":[]}',
    "spent" JSONB NOT NULL DEFAULT '{"packages":[],"additional_items":[],"custom_fields":[]}',
    "unclear" JSONB NOT NULL DEFAULT '[]',
    "state" TEXT NOT NULL DEFAULT 'in_step',
    "allowed" BOOLEAN NOT NULL DEFAULT false,
    "wanted_by" TEXT,
    "offered" JSONB,
    "appends" BOOLEAN,
    "failure" JSONB,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "catalogs_pkey" PRIMARY KEY ("account_id")
);

-- CreateTable
CREATE TABLE "account_field_sets" (
    "app_id" TEXT NOT NULL,
    "tenant_key" TEXT NOT NULL,
    "wanted" JSONB,
    "held" JSONB NOT NULL DEFAULT '[]',
    "spent" JSONB NOT NULL DEFAULT '[]',
    "unclear" JSONB NOT NULL DEFAULT '[]',
    "state" TEXT NOT NULL DEFAULT 'in_step',
    "failure" JSONB,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "account_field_sets_pkey" PRIMARY KEY ("app_id","tenant_key")
);

-- CreateTable
CREATE TABLE "agreements" (
    "app_id" TEXT NOT NULL,
    "tenant_key" TEXT NOT NULL,
    "agreement_id" TEXT NOT NULL,
    "application_id" TEXT,
    "state" INTEGER,
    "modify_time" BIGINT NOT NULL DEFAULT 0,
    "deleted" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "agreements_pkey" PRIMARY KEY ("app_id","tenant_key","agreement_id")
);

-- CreateTable
CREATE TABLE "agreement_creations" (
    "delivery_id" BIGINT NOT NULL,
    "agreement_id" TEXT NOT NULL,

    CONSTRAINT "agreement_creations_pkey" PRIMARY KEY ("delivery_id")
);

-- CreateTable
CREATE TABLE "sweeps" (
    "id" BIGSERIAL NOT NULL,
    "app_id" TEXT NOT NULL,
    "tenant_key" TEXT NOT NULL,
    "permission" TEXT NOT NULL DEFAULT 'unknown',
    "reason" TEXT,
    "asked_at" TIMESTAMPTZ(3),
    "due_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "lease_until" TIMESTAMPTZ(6),
    "fence" INTEGER NOT NULL DEFAULT 0,
    "failures" INTEGER NOT NULL DEFAULT 0,
    "error" TEXT,
    "swept_until" TIMESTAMPTZ(3),
    "progress" JSONB,
    "providers" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "counts" JSONB,
    "finished_at" TIMESTAMPTZ(3),

    CONSTRAINT "sweeps_pkey" PRIMARY KEY ("app_id","tenant_key")
);

-- CreateTable
CREATE TABLE "findings" (
    "id" BIGSERIAL NOT NULL,
    "kind" TEXT NOT NULL,
    "app_id" TEXT NOT NULL,
    "tenant_key" TEXT NOT NULL,
    "background_check_id" TEXT NOT NULL,
    "vendor_order_id" TEXT,
    "subject" TEXT NOT NULL DEFAULT '',
    "detail" JSONB NOT NULL DEFAULT '{}',
    "state" TEXT NOT NULL DEFAULT 'open',
    "found_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "seen_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "settled_at" TIMESTAMPTZ(3),

    CONSTRAINT "findings_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "sweeps_id_key" ON "sweeps"("id");

-- CreateIndex
CREATE INDEX "sweeps_due_at_idx" ON "sweeps"("due_at");

-- CreateIndex
CREATE UNIQUE INDEX "findings_standing" ON "findings"("background_check_id", "kind", "app_id", "tenant_key", "subject") WHERE (settled_at IS NULL);

-- CreateIndex
CREATE INDEX "findings_by_state" ON "findings"("state", "id" DESC);

-- CreateIndex
CREATE INDEX "findings_background_check_id_idx" ON "findings"("background_check_id");

-- CreateIndex
CREATE INDEX "deliveries_unconfirmed" ON "deliveries"("tenant_key", "background_check_id") WHERE (state = 'delivered' AND NOT confirmed);
