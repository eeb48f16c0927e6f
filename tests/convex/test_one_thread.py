"""The limit on the threads of BLAS."""

from threadpoolctl import threadpool_info, threadpool_limits

from skpapers.convex._one_thread import one_thread


def test_the_limit_of_threads_ends_with_the_last_fit():
    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    with threadpool_limits(2, user_api="blas"):
        before = threads()
        assert max(before) == 2
        one_thread.__enter__()
        one_thread.__enter__()
        one_thread.__exit__()  # of the fit that began first
        assert max(threads()) == 1
        one_thread.__exit__()
        assert threads() == before
