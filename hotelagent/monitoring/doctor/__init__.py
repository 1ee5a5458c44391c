"""The diagnosis of a deployment (`manage.py doctor`): each part is examined, and each problem comes with its remedy."""
