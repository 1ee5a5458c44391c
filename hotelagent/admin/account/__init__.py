"""The pages of both admin sites with which members of staff log in and manage their own account."""
