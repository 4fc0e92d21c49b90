# The ARNs of an environment's roles, for resources that need them. Trivet goes on keeping the roles;
# Terraform's state holds their ARNs alone. Every plan asks again: the same call changes nothing.
# `terraform plan` declares, since a data source is read then.

terraform {
  required_version = ">= 1.5"
  required_providers {
    external = {
      source  = "hashicorp/external"
      version = "~> 2.3"
    }
  }
}

variable "environment" {
  type    = string
  default = "datalake-consumer-dev"
}

data "external" "trivet" {
  program = ["python3", "${path.module}/environment.py"]
  query = {
    name        = var.environment
    declaration = jsonencode({ profile = "scoped", tags = { team = "datalake" } })
  }
}

output "notebook_role_arn" {
  value = data.external.trivet.result.notebook
}
