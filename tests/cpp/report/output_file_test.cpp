#include "filetree/output_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <future>

#include "filetree/error.hpp"
#include "support/limits.hpp"
#include "support/temporary_directory.hpp"

namespace filetree {
namespace {

using testing::content_of;
using testing::open_descriptors;
using testing::TemporaryDirectory;

using Names = std::vector<std::string>;

void write(const OutputFile& file, std::string_view text) {
    ASSERT_EQ(::write(file.fd(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

int error_of(const std::string& path) {
    try {
        const OutputFile file(path);
        return 0;
    } catch (const SystemError& error) {
        EXPECT_EQ(error.path(), path);
        return error.error();
    }
}

class OutputFileTest : public ::testing::Test {
   protected:
    void put(const std::string& name, const std::string& text) {
        std::ofstream(directory / name) << text;
    }
    TemporaryDirectory directory;
};

TEST_F(OutputFileTest, AppearsUnderItsNameOnlyWhenCommitted) {
    OutputFile file(directory / "out");
    write(file, "text");
    EXPECT_FALSE(std::filesystem::exists(directory / "out"));
    file.commit();
    EXPECT_EQ(content_of(directory / "out"), "text");
    EXPECT_EQ(directory.names(), Names{"out"}) << "and nothing beside it";
}

TEST_F(OutputFileTest, LeavesNothingWhenDiscarded) {
    {
        OutputFile file(directory / "out");
        write(file, "text");
        EXPECT_EQ(open_descriptors(directory), 1U);
        file.discard();
        EXPECT_EQ(open_descriptors(directory), 0U);
        file.discard();
    }
    {
        const OutputFile dropped(directory / "out");
        write(dropped, "text");
    }
    EXPECT_EQ(directory.names(), Names{});
    EXPECT_EQ(open_descriptors(directory), 0U);
}

TEST_F(OutputFileTest, LeavesAnExistingFileUntouchedUntilItIsReplacedWhole) {
    put("out", "old");
    {
        OutputFile file(directory / "out");
        write(file, "never seen");
        EXPECT_EQ(content_of(directory / "out"), "old");
    }
    EXPECT_EQ(content_of(directory / "out"), "old");
    OutputFile file(directory / "out");
    write(file, "new");
    EXPECT_EQ(content_of(directory / "out"), "old");
    file.commit();
    EXPECT_EQ(content_of(directory / "out"), "new");
    EXPECT_EQ(directory.names(), Names{"out"});
}

TEST_F(OutputFileTest, AReaderOfTheOldFileGoesOnReadingIt) {
    put("out", "old");
    const int reader = ::open((directory / "out").c_str(), O_RDONLY | O_CLOEXEC);
    OutputFile file(directory / "out");
    write(file, "new");
    file.commit();
    char text[4] = {};
    EXPECT_EQ(::read(reader, text, 3), 3);
    ::close(reader);
    EXPECT_STREQ(text, "old");
}

TEST_F(OutputFileTest, ReplacesTheTargetOfASymlinkNotTheSymlink) {
    directory.add_directory("elsewhere");
    put("elsewhere/target", "old");
    std::filesystem::create_symlink("elsewhere/target", directory / "link");
    OutputFile file(directory / "link");
    write(file, "new");
    file.commit();
    EXPECT_TRUE(std::filesystem::is_symlink(directory / "link"));
    EXPECT_FALSE(std::filesystem::is_symlink(directory / "elsewhere/target"));
    EXPECT_EQ(content_of(directory / "elsewhere/target"), "new");
}

TEST_F(OutputFileTest, MakesTheMissingTargetOfASymlink) {
    directory.add_directory("elsewhere");
    std::filesystem::create_symlink("elsewhere/target", directory / "link");
    OutputFile file(directory / "link");
    write(file, "new");
    file.commit();
    EXPECT_TRUE(std::filesystem::is_symlink(directory / "link"));
    EXPECT_EQ(content_of(directory / "elsewhere/target"), "new");
}

TEST_F(OutputFileTest, WritesADeviceDirectly) {
    OutputFile file("/dev/null");
    write(file, "text");
    struct stat attributes {};
    ASSERT_EQ(::fstat(file.fd(), &attributes), 0);
    EXPECT_TRUE(S_ISCHR(attributes.st_mode));
    file.commit();
    EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST_F(OutputFileTest, WritesAFifoDirectly) {
    const std::string path = directory / "fifo";
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    auto reader = std::async(std::launch::async, [&] { return content_of(path); });
    OutputFile file(path);
    write(file, "text");
    file.commit();
    EXPECT_EQ(reader.get(), "text");
    EXPECT_TRUE(std::filesystem::is_fifo(path));
}

TEST_F(OutputFileTest, SaysAtOnceWhatMakesAPathUnusable) {
    directory.add_directory("sub");
    directory.add_file("plain");
    std::filesystem::create_symlink("loop", directory / "loop");
    EXPECT_EQ(error_of(directory / "missing/out"), ENOENT);
    EXPECT_EQ(error_of(directory / "sub"), EISDIR);
    EXPECT_EQ(error_of(directory / "sub/"), EISDIR);
    EXPECT_EQ(error_of(directory / "plain/out"), ENOTDIR);
    EXPECT_EQ(error_of(directory / "loop"), ELOOP);
    EXPECT_EQ(error_of(directory / std::string(256, 'n')), ENAMETOOLONG);
    EXPECT_NE(error_of(""), 0);
}

TEST_F(OutputFileTest, SaysAtOnceThatADirectoryOrAFileMayNotBeWritten) {
    if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
    const std::string closed = directory.add_directory("closed");
    ASSERT_EQ(::chmod(closed.c_str(), 0500), 0);
    EXPECT_EQ(error_of(closed + "/out"), EACCES);
    const std::string plain = directory.add_file("plain");
    ASSERT_EQ(::chmod(plain.c_str(), 0400), 0);
    EXPECT_EQ(error_of(plain), EACCES);
}

TEST_F(OutputFileTest, TakesTheLongestNameThatThereIs) {
    const std::string name(255, 'n');
    OutputFile file(directory / name);
    write(file, "text");
    file.commit();
    EXPECT_EQ(directory.names(), Names{name});
}

TEST_F(OutputFileTest, TakesANameWithoutADirectory) {
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(directory.path());
    {
        OutputFile file("out");
        write(file, "text");
        file.commit();
    }
    std::filesystem::current_path(before);
    EXPECT_EQ(content_of(directory / "out"), "text");
}

TEST_F(OutputFileTest, HonoursTheUmask) {
    const mode_t before = ::umask(027);
    {
        OutputFile file(directory / "out");
        file.commit();
    }
    ::umask(before);
    struct stat attributes {};
    ASSERT_EQ(::stat((directory / "out").c_str(), &attributes), 0);
    EXPECT_EQ(attributes.st_mode & 0777U, 0640U);
}

TEST_F(OutputFileTest, ACommitThatFailsSaysSoAndLeavesNothing) {
    directory.add_directory("sub");
    {
        OutputFile file(directory / "sub/out");
        write(file, "text");
        // A directory takes the name meanwhile: the file cannot be renamed over it.
        directory.add_directory("sub/out/in the way");
        try {
            file.commit();
            FAIL() << "commit() must throw";
        } catch (const SystemError& error) {
            EXPECT_TRUE(error.error() == EISDIR || error.error() == ENOTEMPTY) << error.error();
            EXPECT_EQ(error.path(), directory / "sub/out");
        }
    }
    EXPECT_TRUE(std::filesystem::is_directory(directory / "sub/out"));
    std::filesystem::remove_all(directory / "sub/out");
    EXPECT_TRUE(std::filesystem::is_empty(directory / "sub"));
}

}  // namespace
}  // namespace filetree
