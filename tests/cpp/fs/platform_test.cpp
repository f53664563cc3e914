// What differs between systems, and must not make a difference.

#include "platform.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <thread>

#include "support/temporary_directory.hpp"

namespace filetree::platform {
namespace {

using filetree::testing::TemporaryDirectory;

bool is_readable(int fd) {
    pollfd asked{fd, POLLIN, 0};
    return ::poll(&asked, 1, 0) == 1;
}

bool is_inherited(int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0; }

TEST(Wakeup, IsReadableFromARingUntilItIsCleared) {
    const Wakeup wakeup;
    ASSERT_GE(wakeup.fd(), 0);
    EXPECT_FALSE(is_inherited(wakeup.fd()));
    EXPECT_FALSE(is_readable(wakeup.fd()));
    wakeup.clear();  // waits for nothing
    for (int i = 0; i < 1000; ++i) wakeup.ring();
    EXPECT_TRUE(is_readable(wakeup.fd()));
    wakeup.clear();
    EXPECT_FALSE(is_readable(wakeup.fd()));
    wakeup.ring();
    EXPECT_TRUE(is_readable(wakeup.fd()));
}

TEST(Wakeup, NeverWaitsHoweverOftenItRings) {
    const Wakeup wakeup;
    for (int i = 0; i < 200'000; ++i) wakeup.ring();  // more than fit into a pipe
    wakeup.clear();
    EXPECT_FALSE(is_readable(wakeup.fd()));
}

TEST(Socket, IsNotInheritedAndRaisesNoSignalWhenNobodyListensAnyMore) {
    const TemporaryDirectory directory;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (directory / "socket").copy(address.sun_path, sizeof address.sun_path - 1);
    const auto* const place = reinterpret_cast<const sockaddr*>(&address);
    UniqueFd listener(open_socket(AF_UNIX, SOCK_STREAM, 0));
    const UniqueFd socket(open_socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_TRUE(listener && socket);
    EXPECT_FALSE(is_inherited(socket.get()));
    ASSERT_EQ(::bind(listener.get(), place, sizeof address), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    ASSERT_EQ(::connect(socket.get(), place, sizeof address), 0);
    ::close(listener.release());
    EXPECT_EQ(send_to(socket.get(), "x", 1, true), -1);  // a signal would end this test
    EXPECT_EQ(errno, EPIPE);
}

TEST(Sync, WritesFilesAndSaysWhatCannotBeWritten) {
    const TemporaryDirectory directory;
    const UniqueFd file(::open((directory / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_TRUE(file);
    EXPECT_EQ(sync(file.get()), 0);
    EXPECT_EQ(sync_data(file.get()), 0);
    EXPECT_EQ(sync(-1), -1);
    EXPECT_EQ(errno, EBADF);
}

TEST(Nameless, HasNoNameBeforeItIsGivenOneThatIsFree) {
    const TemporaryDirectory directory;
    const UniqueFd file(open_nameless(directory.path().c_str(), O_WRONLY, 0600));
    if (!file) {
        ASSERT_EQ(errno, EOPNOTSUPP);
        GTEST_SKIP() << "there are no files without a name on this system";
    }
    struct stat status {};
    ASSERT_EQ(::fstat(file.get(), &status), 0);
    EXPECT_EQ(status.st_nlink, 0U);
    const std::string name = directory / "name";
    EXPECT_EQ(give_name(file.get(), name.c_str()), 0);
    EXPECT_EQ(give_name(file.get(), name.c_str()), -1);
    EXPECT_EQ(errno, EEXIST);
}

TEST(MainThread, IsTheOneOfMainAndNoOther) {
    EXPECT_TRUE(on_main_thread());
    bool other = true;
    std::thread([&other] { other = on_main_thread(); }).join();
    EXPECT_FALSE(other);
}

}  // namespace
}  // namespace filetree::platform
