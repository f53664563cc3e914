#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <future>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include "csv_sink.hpp"
#include "filetree/posix_fs.hpp"
#include "filetree/report.hpp"
#include "support/awaited.hpp"
#include "support/decompress.hpp"
#include "support/faults.hpp"
#include "support/limits.hpp"
#include "support/spilled_files.hpp"
#include "support/temporary_directory.hpp"

namespace filetree {
namespace {

using std::chrono::milliseconds;
using testing::Awaited;
using testing::content_of;
using testing::fault_at;
using testing::faulty;
using testing::from_gzip;
using testing::from_zstd;
using testing::hang;
using testing::patience;
using testing::scaled;
using testing::TemporaryDirectory;

// A file in memory.
class MemoryFile {
   public:
    MemoryFile() : fd_(::memfd_create("test", MFD_CLOEXEC)) {}
    ~MemoryFile() { ::close(fd_); }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;

    [[nodiscard]] int fd() const noexcept { return fd_; }
    [[nodiscard]] std::string content() const {
        return content_of("/proc/self/fd/" + std::to_string(fd_));
    }

   private:
    int fd_;
};

std::shared_ptr<FileSystem> sound(const SyntheticTree& tree) {
    return make_synthetic_file_system(tree);
}

std::string report_on(std::shared_ptr<FileSystem> fs, const TextOptions& text,
                      const ReportOptions& options = {}) {
    const MemoryFile file;
    FileReport report(std::move(fs), "t", options, text, file.fd(), "out");
    EXPECT_TRUE(report.wait(patience));
    EXPECT_TRUE(report.errors().empty());
    std::string content = file.content();
    EXPECT_EQ(report.bytes_written(), content.size());
    return content;
}

std::size_t lines(const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

std::multiset<std::string> sorted_lines(const std::string& text) {
    std::multiset<std::string> out;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) out.insert(line);
    return out;
}

TEST(FileReport, WritesALineForEachEntryAfterTheHeader) {
    const SyntheticTree tree{4, 30, 3};
    const std::string csv = report_on(sound(tree), {});
    EXPECT_TRUE(csv.starts_with(report::csv_header));
    EXPECT_TRUE(csv.ends_with('\n'));
    EXPECT_EQ(lines(csv), 1 + tree.total_files() + tree.total_directories() + 1);
    EXPECT_NE(csv.find(",\"t/d3/d0/d2/f29.dat\",\"dat\","), std::string::npos);
}

TEST(FileReport, LeavesTheHeaderOutWhenToldTo) {
    TextOptions text;
    text.header = false;
    const std::string csv = report_on(sound({0, 2, 0}), text);
    EXPECT_EQ(lines(csv), 3U);
    EXPECT_EQ(csv.find("inode"), std::string::npos);
}

TEST(FileReport, CompressesToTheSameText) {
    const SyntheticTree tree = synthetic_tree_of(scaled(50'000));
    TextOptions text;
    const auto plain = sorted_lines(report_on(sound(tree), text));
    EXPECT_EQ(plain.size(), 1 + tree.total_files() + tree.total_directories() + 1);
    text.compression = Compression::zstd;
    const auto of_zstd = from_zstd(report_on(sound(tree), text));
    ASSERT_TRUE(of_zstd.has_value());
    EXPECT_TRUE(sorted_lines(*of_zstd) == plain);
    text.compression = Compression::gzip;
    const auto of_gzip = from_gzip(report_on(sound(tree), text));
    ASSERT_TRUE(of_gzip.has_value());
    EXPECT_TRUE(sorted_lines(*of_gzip) == plain);
}

TEST(FileReport, WritesPathsOfTheKindsWanted) {
    TextOptions text;
    text.format = TextFormat::lines;
    text.directories = false;
    EXPECT_EQ(lines(report_on(sound({2, 3, 1}), text)), 9U);
    text.directories = true;
    text.others = false;
    const std::string directories = report_on(sound({2, 3, 1}), text);
    EXPECT_EQ(lines(directories), 3U);
    EXPECT_NE(directories.find("t/d1\n"), std::string::npos);
}

TEST(FileReport, LosesNothingHoweverLittleMayWait) {
    const SyntheticTree tree = synthetic_tree_of(scaled(300'000));
    ReportOptions options;
    options.buffer_threshold = 1;
    const std::string csv = report_on(sound(tree), {}, options);
    EXPECT_EQ(lines(csv), 1 + tree.total_files() + tree.total_directories() + 1);
}

// Reads a pipe to its end, but not before it is told to.
class LateReader {
   public:
    LateReader() {
        if (::pipe2(ends_.data(), O_CLOEXEC) != 0) std::abort();
    }
    ~LateReader() {
        close_writing_end();
        if (reading_.valid()) reading_.wait();
        ::close(ends_[0]);
    }
    LateReader(const LateReader&) = delete;
    LateReader& operator=(const LateReader&) = delete;

    [[nodiscard]] int fd() const noexcept { return ends_[1]; }
    void start() {
        reading_ = std::async(std::launch::async, [this] { return read_all(); });
    }
    [[nodiscard]] std::string content() {
        close_writing_end();
        return reading_.get();
    }

   private:
    void close_writing_end() {
        if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
    }
    std::string read_all() const {
        std::string all;
        std::array<char, 65536> some{};
        for (ssize_t got = 0; (got = ::read(ends_[0], some.data(), some.size())) > 0;) {
            all.append(some.data(), static_cast<std::size_t>(got));
        }
        return all;
    }
    std::array<int, 2> ends_{-1, -1};
    std::future<std::string> reading_;
};

// A walk that has ended takes no more time.
void await_end_of_walk(const Report& report) {
    const auto begun = std::chrono::steady_clock::now();
    std::chrono::nanoseconds before{-1};
    for (auto now = report.progress().elapsed; now != before;) {
        ASSERT_LT(std::chrono::steady_clock::now() - begun, patience);
        std::this_thread::sleep_for(milliseconds(1));
        before = std::exchange(now, report.progress().elapsed);
    }
}

TEST(FileReport, TheWalkDoesNotWaitForAWriterThatStandsStillWhereItMaySpill) {
    const SyntheticTree tree = synthetic_tree_of(scaled(100'000));
    const testing::TemporaryDirectory directory;
    ReportOptions options;
    options.buffer_threshold = std::size_t{256} << 10U;
    options.spill_directory = directory.path();
    LateReader reader;
    FileReport report(sound(tree), "t", options, {}, reader.fd(), "pipe");
    await_end_of_walk(report);
    EXPECT_LT(report.bytes_written(), std::size_t{1} << 20U);
    reader.start();
    EXPECT_TRUE(report.wait(patience));
    EXPECT_GT(report.progress().spilled, 0U);
    EXPECT_TRUE(sorted_lines(reader.content()) == sorted_lines(report_on(sound(tree), {})));
    EXPECT_TRUE(directory.names().empty());
}

TEST(FileReport, NothingIsSpilledUnlessToldWhere) {
    const SyntheticTree tree = synthetic_tree_of(scaled(100'000));
    ReportOptions options;
    options.buffer_threshold = 1;
    LateReader reader;
    FileReport report(sound(tree), "t", options, {}, reader.fd(), "pipe");
    reader.start();
    EXPECT_TRUE(report.wait(patience));
    EXPECT_EQ(report.progress().spilled, 0U);
}

TEST(FileReport, WhatCannotBeReadBackIsAnError) {
    const SyntheticTree tree = synthetic_tree_of(scaled(100'000));
    const testing::TemporaryDirectory directory;
    ReportOptions options;
    options.buffer_threshold = 1;
    options.spill_directory = directory.path();
    LateReader reader;
    FileReport report(sound(tree), "t", options, {}, reader.fd(), "pipe");
    await_end_of_walk(report);
    EXPECT_GT(testing::truncate_spilled_files(directory), 0U);
    reader.start();
    try {
        EXPECT_TRUE(report.wait(patience)) << "it hangs";
        FAIL() << "wait() must throw";
    } catch (const SystemError& error) {
        EXPECT_EQ(error.error(), EIO);
        EXPECT_EQ(error.path(), directory.path());
    }
}

TEST(FileReport, AWriteErrorEndsItEvenWithWorkersThatWait) {
    const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full < 0) GTEST_SKIP() << "there is no /dev/full";
    for (const auto compression : {Compression::none, Compression::zstd, Compression::gzip}) {
        ReportOptions options;
        options.buffer_threshold = 1;
        TextOptions text;
        text.compression = compression;
        FileReport report(sound({10, 100, 9}), "t", options, text, full, "full");
        try {
            EXPECT_TRUE(report.wait(patience)) << "it hangs";
            FAIL() << "wait() must throw";
        } catch (const SystemError& error) {
            EXPECT_EQ(error.error(), ENOSPC);
            EXPECT_EQ(error.path(), "full");
        }
        EXPECT_EQ(report.bytes_written(), 0U);
    }
    ::close(full);
}

TEST(FileReport, AnUnusableTopIsItsErrorAndTheTopsName) {
    for (const int error : {ENOENT, EACCES, ENOTDIR}) {
        const MemoryFile file;
        FileReport report(faulty({0, 1, 0}, testing::error_at(Operation::open, "t", error)), "t",
                          {}, {}, file.fd(), "out");
        EXPECT_EQ(report.wait_started(patience), error);
        try {
            EXPECT_TRUE(report.wait(patience)) << "it hangs";
            FAIL() << "wait() must throw";
        } catch (const SystemError& thrown) {
            EXPECT_EQ(thrown.error(), error);
            EXPECT_EQ(thrown.path(), "t");
        }
    }
}

TEST(FileReport, WaitsNoLongerThanAsked) {
    const MemoryFile file;
    const auto fs = faulty({1, 1, 1}, fault_at(Operation::open, "t/d0", hang));
    FileReport report(fs, "t", {}, {}, file.fd(), "out");
    EXPECT_FALSE(report.wait(milliseconds(10)));
    fs->release();
    EXPECT_TRUE(report.wait(patience));
    EXPECT_EQ(lines(file.content()), 5U);
}

// Half a report must never pass for a whole one.
TEST(FileReport, NeverSaysThatItIsCompleteWhenItWasClosed) {
    const MemoryFile file;
    FileReport report(sound({10, 100, 9}), "t", {}, {}, file.fd(), "out");
    ASSERT_EQ(report.wait_started(patience), 0);
    report.close();
    report.close();
    try {
        EXPECT_FALSE(report.wait(patience));
    } catch (const SystemError& error) {
        EXPECT_EQ(error.error(), ECANCELED);
    }
}

TEST(FileReport, MayBeDroppedHalfWay) {
    const auto gone = std::make_shared<Awaited>();
    const MemoryFile file;
    for (int i = 0; i < 5; ++i) {
        const auto fs = faulty({10, 100, 9}, [signal = testing::signals_when_gone(gone)](
                                                 const FaultyCall&) { return Fault{}; });
        ReportOptions options;
        options.buffer_threshold = 1;
        FileReport report(fs, "t", options, {}, file.fd(), "out");
        ASSERT_EQ(report.wait_started(patience), 0);
    }
    EXPECT_TRUE(gone->reaches(5)) << "a thread is left";
}

// As when a report is cancelled: its number is that of another file soon.
TEST(FileReport, WritesToNothingElseWhenItsCallerClosesTheDescriptor) {
    const MemoryFile file;
    const MemoryFile another;
    const int fd = ::dup(file.fd());
    const auto fs = faulty({1, 1, 1}, fault_at(Operation::open, "t/d0", hang));
    FileReport report(fs, "t", {}, {}, fd, "out");
    ASSERT_EQ(::dup2(another.fd(), fd), fd);
    fs->release();
    EXPECT_TRUE(report.wait(patience));
    ::close(fd);
    EXPECT_EQ(lines(file.content()), 5U);
    EXPECT_EQ(another.content(), "");
}

TEST(FileReport, NotesThePathsThatCsvCannotCarry) {
    const TemporaryDirectory tree;
    tree.add_file("a\nb");
    tree.add_file("plain \" \xff");
    const MemoryFile file;
    FileReport report(make_posix_file_system(), tree.path(), {}, {}, file.fd(), "out");
    ASSERT_TRUE(report.wait(patience));
    EXPECT_EQ(report.notes().bad_paths, 1U);
    EXPECT_EQ(report.take_bad_paths(), std::vector<std::string>{tree / "a\nb"});
    EXPECT_TRUE(report.take_bad_paths().empty()) << "they have been taken";
    EXPECT_EQ(report.notes().bad_paths, 1U);
    EXPECT_NE(file.content().find(tree / "ab\",\"\""), std::string::npos);
}

}  // namespace
}  // namespace filetree
